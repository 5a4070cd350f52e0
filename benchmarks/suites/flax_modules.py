# ruff: noqa: E501
"""Flax's own modules over their options, Linen and NNX, and functions of `flax.linen`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from compose import port
from suites import Case, NoModel

_RNG = np.random.default_rng(0)


def _floats(*shape: int) -> np.ndarray:
    return _RNG.normal(size=shape).astype(np.float32)


ROWS, SEQUENCE, SIGNAL, IMAGE, VOLUME = (
    _floats(*s) for s in ((4, 6), (4, 5, 6), (4, 9, 4), (3, 8, 8, 4), (2, 5, 6, 5, 4))
)
IDS, LENGTHS = _RNG.integers(0, 7, (4, 5)), np.array([5, 3, 1, 4])
MASK = _RNG.random((4, 1, 5, 5)) > 0.4

LINEN: dict[str, list[tuple[Callable[[], nn.Module], tuple[Any, ...]]]] = {
    "Dense": [(lambda o=o: nn.Dense(3, **o), (x,)) for o in ({}, {"use_bias": False}) for x in (ROWS, SEQUENCE, IMAGE)],
    "DenseGeneral": [
        (lambda o=o: nn.DenseGeneral(**o), (SEQUENCE,))
        for o in (
            {"features": 3}, {"features": (2, 3)}, {"features": 4, "axis": (1, 2)}, {"features": (4, 2), "axis": (-2, -1)},
            {"features": 3, "axis": 1}, {"features": (2, 3), "use_bias": False},
            {"features": 3, "axis": -1, "batch_dims": (0,)}, {"features": (3, 2), "axis": 2, "batch_dims": 1},
        )
    ],
    "Einsum": [
        (lambda o=o: nn.Einsum(**o), (SEQUENCE,))
        for o in (
            {"shape": (6, 2, 3), "einsum_str": "btd,dhk->bthk"}, {"shape": (6, 3), "einsum_str": "...d,de->...e"},
            {"shape": (6, 2, 3), "einsum_str": "btd,dhk->bhtk", "use_bias": False},
        )
    ],
    "Conv": [
        *((lambda o=o: nn.Conv(8, (3,), **o), (SIGNAL,)) for o in (
            {}, {"padding": "CAUSAL"}, {"padding": "CIRCULAR"}, {"padding": "REFLECT"}, {"padding": "VALID", "strides": 2},
            {"kernel_dilation": 2}, {"feature_group_count": 4}, {"input_dilation": 2}, {"padding": 2}, {"use_bias": False},
        )),
        *((lambda o=o: nn.Conv(8, (3, 3), **o), (IMAGE,)) for o in (
            {}, {"strides": 2}, {"strides": (2, 1), "padding": "VALID"}, {"padding": ((1, 0), (2, 1))}, {"padding": 1},
            {"kernel_dilation": (1, 2)}, {"feature_group_count": 2}, {"feature_group_count": 4}, {"input_dilation": 2},
            {"padding": "CIRCULAR"}, {"padding": "REFLECT"}, {"mask": np.tril(np.ones((3, 3)))[:, :, None, None] * np.ones((3, 3, 4, 8))},
        )),
        (lambda: nn.Conv(3, (2, 3, 2)), (VOLUME,)),
        (lambda: nn.Conv(5, (3, 3), strides=2), (VOLUME,)),
        (lambda: nn.Conv(5, (1, 1)), (IMAGE,)),
    ],
    "ConvLocal": [
        (lambda: nn.ConvLocal(3, (3,)), (SIGNAL,)), (lambda: nn.ConvLocal(3, (3, 3), padding="VALID"), (IMAGE,)),
        (lambda: nn.ConvLocal(3, (3, 2), strides=(2, 1), use_bias=False), (IMAGE,)),
    ],
    "ConvTranspose": [
        *((lambda o=o: nn.ConvTranspose(5, (3, 3), **o), (IMAGE,)) for o in (
            {}, {"strides": (2, 2)}, {"strides": (2, 2), "padding": "VALID"}, {"padding": ((1, 1), (0, 2))}, {"padding": ((0, 2), (0, 2))},
            {"kernel_dilation": (2, 2)}, {"transpose_kernel": True}, {"strides": (2, 3), "transpose_kernel": True},
            {"strides": (2, 2), "padding": "CIRCULAR"}, {"use_bias": False},
        )),
        (lambda: nn.ConvTranspose(5, (4,), strides=(2,)), (SIGNAL,)),
        (lambda: nn.ConvTranspose(2, (2, 3, 2), strides=(1, 2, 2)), (VOLUME,)),
    ],
    "Embed": [(lambda: nn.Embed(7, 3), (IDS,)), (lambda: nn.Embed(9, 4), (IDS[:, 0],))],
    "BatchNorm": [
        (lambda o=o: nn.BatchNorm(**o), (x,))
        for x in (ROWS, IMAGE)
        for o in ({}, {"momentum": 0.9, "epsilon": 1e-3}, {"use_scale": False}, {"use_bias": False}, {"axis": 1}, {"use_fast_variance": False})
    ],
    "LayerNorm": [
        (lambda o=o: nn.LayerNorm(**o), (IMAGE,))
        for o in ({}, {"epsilon": 1e-3}, {"use_bias": False}, {"use_scale": False}, {"reduction_axes": (1, 2, 3)},
                  {"reduction_axes": (-2, -1), "feature_axes": (-2, -1)}, {"reduction_axes": (1,)}, {"feature_axes": (-2, -1)})
    ],
    "RMSNorm": [
        (lambda o=o: nn.RMSNorm(**o), (SEQUENCE,))
        for o in ({}, {"use_scale": False}, {"reduction_axes": (-2, -1)}, {"epsilon": 1e-4})
    ],
    "GroupNorm": [
        (lambda o=o: nn.GroupNorm(**o), (IMAGE,))
        for o in ({"num_groups": 2}, {"num_groups": None, "group_size": 1}, {"num_groups": 4, "use_bias": False},
                  {"num_groups": 2, "use_scale": False}, {"num_groups": 2, "reduction_axes": (-1,)}, {"num_groups": 1})
    ],
    "InstanceNorm": [
        (lambda o=o: nn.InstanceNorm(**o), (IMAGE,))
        for o in ({}, {"use_bias": False}, {"use_scale": False}, {"feature_axes": 1}, {"epsilon": 1e-2})
    ],
    "WeightNorm": [
        (lambda: nn.WeightNorm(nn.Dense(3)), (ROWS,)), (lambda: nn.WeightNorm(nn.Conv(3, (3, 3))), (IMAGE,)),
        (lambda: nn.WeightNorm(nn.Dense(3), use_scale=False), (ROWS,)),
        (lambda: nn.WeightNorm(nn.Dense(3), feature_axes=None), (ROWS,)),
        (lambda: nn.WeightNorm(nn.Dense(3), variable_filter={"bias", "kernel"}), (ROWS,)),
    ],
    "SpectralNorm": [(lambda: _Spectral(nn.Dense(3)), (ROWS,)), (lambda: _Spectral(nn.Conv(3, (3, 3))), (IMAGE,))],
    "PReLU": [(lambda: nn.PReLU(), (ROWS,)), (lambda: nn.PReLU(0.3), (IMAGE,))],
    "Dropout": [(lambda: _Train(nn.Dropout(0.4)), (ROWS,)), (lambda: _Train(nn.Dropout(0.2, broadcast_dims=(1,))), (SEQUENCE,))],
    "SelfAttention": [
        (lambda o=o: nn.SelfAttention(**o), (x,))
        for x in (SEQUENCE,)
        for o in ({"num_heads": 2}, {"num_heads": 3, "qkv_features": 12}, {"num_heads": 2, "out_features": 5},
                  {"num_heads": 2, "use_bias": False}, {"num_heads": 2, "normalize_qk": True})
    ],
    "MultiHeadDotProductAttention": [
        (lambda o=o: nn.MultiHeadDotProductAttention(**o), xs)
        for xs in ((SEQUENCE,), (SEQUENCE, SEQUENCE[:, ::-1].copy()), (SEQUENCE, 2 * SEQUENCE, SEQUENCE + 1))
        for o in ({"num_heads": 2}, {"num_heads": 3, "normalize_qk": True}, {"num_heads": 1, "use_bias": False})
    ] + [(lambda: _Masked(nn.MultiHeadDotProductAttention(2)), (SEQUENCE, MASK)), (lambda: nn.MultiHeadDotProductAttention(2), (IMAGE,))],
    "Sequential": [(lambda: nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(2)]), (ROWS,))],
    "RNN": [
        (lambda c=c, o=o: nn.RNN(c(), **o), (SEQUENCE,))
        for c in (
            lambda: nn.LSTMCell(3), lambda: nn.OptimizedLSTMCell(3), lambda: nn.GRUCell(3), lambda: nn.SimpleCell(3),
            lambda: nn.MGUCell(3), lambda: nn.SimpleCell(6, residual=True),
        )
        for o in ({}, {"reverse": True}, {"reverse": True, "keep_order": True}, {"return_carry": True}, {"time_major": True})
    ],
    "ConvLSTMCell": [(lambda: nn.RNN(nn.ConvLSTMCell(3, (3, 3))), (_floats(2, 4, 5, 5, 3),))],
    "Bidirectional": [
        (lambda c=c: nn.Bidirectional(nn.RNN(c()), nn.RNN(c())), (SEQUENCE,))
        for c in (lambda: nn.LSTMCell(3), lambda: nn.GRUCell(3), lambda: nn.SimpleCell(3))
    ],
}  # fmt: skip

FUNCTIONS: dict[str, Callable] = {
    **{f"{kind}_pool {o}": lambda x, kind=kind, o=o: getattr(nn, f"{kind}_pool")(x, (2, 2), **o)
       for kind in ("max", "avg", "min")
       for o in ({}, {"strides": (2, 2)}, {"strides": (2, 1), "padding": "SAME"}, {"padding": ((1, 1), (0, 1))})},
    "avg_pool count": lambda x: nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False),
    "pool": lambda x: nn.pool(x, 0.0, jax.lax.add, (2, 2), (1, 1), "VALID"),
    **{name: getattr(nn, name) for name in (
        "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid",
        "log_softmax", "normalize", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softmax", "softplus",
        "standardize", "swish", "tanh",
    )},
}  # fmt: skip

NNX: dict[str, list[tuple[Callable[[nnx.Rngs], Any], tuple[Any, ...]]]] = {
    "Linear": [(lambda r, o=o: nnx.Linear(6, 3, rngs=r, **o), (x,)) for o in ({}, {"use_bias": False}) for x in (ROWS, SEQUENCE)],
    "LinearGeneral": [
        (lambda r, o=o: nnx.LinearGeneral(rngs=r, **o), (SEQUENCE,))
        for o in ({"in_features": 6, "out_features": 3}, {"in_features": 6, "out_features": (2, 3)},
                  {"in_features": (5, 6), "out_features": (2, 3), "axis": (-2, -1)})
    ],
    "Einsum": [(lambda r: nnx.Einsum("btd,dhk->bthk", (6, 2, 3), (2, 3), rngs=r), (SEQUENCE,)), (lambda r: nnx.Einsum("btd,de->bte", (6, 3), None, rngs=r), (SEQUENCE,))],
    "Conv": [
        (lambda r, o=o: nnx.Conv(4, 8, (3, 3), rngs=r, **o), (IMAGE,))
        for o in ({}, {"strides": 2}, {"padding": "VALID"}, {"feature_group_count": 4}, {"kernel_dilation": 2}, {"padding": "CIRCULAR"}, {"padding": "REFLECT"}, {"input_dilation": 2}, {"use_bias": False})
    ] + [(lambda r, o=o: nnx.Conv(4, 8, (3,), rngs=r, **o), (SIGNAL,)) for o in ({}, {"padding": "CAUSAL"})],
    "ConvTranspose": [
        (lambda r, o=o: nnx.ConvTranspose(4, 8, (3, 3), rngs=r, **o), (IMAGE,))
        for o in ({}, {"strides": (2, 2)}, {"padding": "VALID"}, {"transpose_kernel": True, "strides": (2, 2)}, {"padding": "CIRCULAR"})
    ],
    "Embed": [(lambda r: nnx.Embed(7, 3, rngs=r), (IDS,))],
    "BatchNorm": [(lambda r, o=o: nnx.BatchNorm(6, rngs=r, **o), (x,)) for x in (ROWS, SEQUENCE) for o in ({}, {"momentum": 0.9}, {"use_bias": False}, {"use_scale": False})],
    "LayerNorm": [(lambda r, o=o: nnx.LayerNorm(6, rngs=r, **o), (SEQUENCE,)) for o in ({}, {"use_bias": False}, {"use_scale": False})],
    "RMSNorm": [(lambda r, o=o: nnx.RMSNorm(6, rngs=r, **o), (SEQUENCE,)) for o in ({}, {"use_scale": False})],
    "GroupNorm": [(lambda r, o=o: nnx.GroupNorm(4, rngs=r, **o), (IMAGE,)) for o in ({"num_groups": 2}, {"num_groups": None, "group_size": 2})],
    "InstanceNorm": [(lambda r: nnx.InstanceNorm(4, rngs=r), (IMAGE,))],
    "Dropout": [(lambda r: nnx.Sequential(nnx.Linear(6, 3, rngs=r), nnx.Dropout(0.3, rngs=r)), (ROWS,))],
    "PReLU": [(lambda r: nnx.PReLU(), (ROWS,))],
    "LoRA": [(lambda r: nnx.LoRA(6, 2, 3, rngs=r), (ROWS,)), (lambda r: nnx.LoRALinear(6, 3, lora_rank=2, rngs=r), (ROWS,))],
    "MultiHeadAttention": [
        (lambda r, o=o: nnx.MultiHeadAttention(in_features=6, rngs=r, decode=False, **o), (SEQUENCE,))
        for o in ({"num_heads": 2}, {"num_heads": 3, "qkv_features": 12}, {"num_heads": 2, "use_bias": False}, {"num_heads": 2, "normalize_qk": True})
    ],
    "RNN": [
        (lambda r, c=c, o=o: nnx.RNN(c(r), **o), (SEQUENCE,))
        for c in (lambda r: nnx.LSTMCell(6, 3, rngs=r), lambda r: nnx.OptimizedLSTMCell(6, 3, rngs=r), lambda r: nnx.GRUCell(6, 3, rngs=r), lambda r: nnx.SimpleCell(6, 3, rngs=r))
        for o in ({}, {"reverse": True, "keep_order": True}, {"return_carry": True})
    ],
}  # fmt: skip


class _Train(nn.Module):
    inner: nn.Module

    @nn.compact
    def __call__(self, x, train: bool = False):
        return nn.Dense(x.shape[-1])(self.inner(x, deterministic=not train))  # pyright: ignore[reportCallIssue]


class _Spectral(nn.Module):
    inner: nn.Module

    @nn.compact
    def __call__(self, x, train: bool = False):
        return nn.SpectralNorm(self.inner)(x, update_stats=train)


class _Masked(nn.Module):
    inner: nn.Module

    @nn.compact
    def __call__(self, x, mask):
        return self.inner(x, mask=mask)  # pyright: ignore[reportCallIssue]


class _Function(nn.Module):
    fn: Callable

    @nn.compact
    def __call__(self, x):
        return self.fn(nn.Dense(x.shape[-1])(x))


def cases() -> Iterator[Case]:
    for name, made in LINEN.items():
        for i, (build, inputs) in enumerate(made):
            # normalised queries of two features are ±1, and Flax's fast variance has no digits left for their gradient
            tolerance = 1e-8 if name == "MultiHeadDotProductAttention" else 1e-10
            yield Case(f"{name}/{i}", lambda build=build, inputs=inputs: _linen(build, inputs), tolerance=tolerance)
    for name, fn in FUNCTIONS.items():
        yield Case(f"functions/{name}", lambda fn=fn: _linen(lambda: _Function(fn), (IMAGE,)))
    for name, made in NNX.items():
        for i, (make, inputs) in enumerate(made):
            yield Case(f"nnx {name}/{i}", lambda make=make, inputs=inputs: _nnx(make, inputs))


def _linen(build: Callable, inputs: tuple) -> Any:
    try:
        module = build()
        options = {"use_running_average": True} if isinstance(module, nn.BatchNorm) else {}
        variables = module.init(jax.random.key(0), *map(jnp.asarray, inputs), **options)
    except Exception as e:
        raise NoModel(f"{type(e).__name__}: {e}") from e
    return port.from_flax(module, variables, *inputs)


def _nnx(make: Callable, inputs: tuple) -> Any:
    try:
        module = make(nnx.Rngs(0))
        module(*map(jnp.asarray, inputs))
    except Exception as e:
        raise NoModel(f"{type(e).__name__}: {e}") from e
    return port.from_flax(module, *inputs)
