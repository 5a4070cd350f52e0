# ruff: noqa: E501
"""Functions of `jax.numpy`, `jax.nn`, `jax.scipy.special` and `jax.lax`, beside a dense layer of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Literal
from jax.scipy import special

from compose import port
from suites import Case

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(4, 6)).astype(np.float32)
IMAGE = _RNG.normal(size=(4, 8, 8, 3)).astype(np.float32)
SEQUENCE = _RNG.normal(size=(4, 5, 6)).astype(np.float32)
IDS = _RNG.integers(0, 6, (4, 5))
P = {
    "w": _RNG.normal(size=(6, 6)).astype(np.float32),
    "b": _RNG.normal(size=6).astype(np.float32),
    "k": (0.3 * _RNG.normal(size=(3, 3, 3, 6))).astype(np.float32),
    "one": np.float32(0.7),
    "table": _RNG.normal(size=(6, 4)).astype(np.float32),
}

ANYWHERE = (
    "abs arctan arcsinh cbrt ceil cos cosh deg2rad exp exp2 expm1 floor negative positive rint sign sin sinc sinh square "
    "tanh tan trunc nan_to_num radians degrees sort fix"
)
INSIDE = "arccos arcsin arctanh log log1p log2 log10 sqrt reciprocal arccosh"  # of sigmoids, of 1 + them
NN = (
    "relu relu6 sigmoid softplus sparse_plus sparse_sigmoid soft_sign silu swish mish log_sigmoid leaky_relu hard_sigmoid "
    "hard_silu hard_swish hard_tanh elu celu selu gelu glu squareplus standardize softmax log_softmax logsumexp "
    "logmeanexp tanh identity"
)
SPECIAL = (
    "digamma gammaln gamma erf erfc expit ndtr log_ndtr entr i0 i0e i1 i1e logsumexp softmax log_softmax erfinv logit "
    "ndtri exp1 expi spence factorial"
)
REDUCE = (
    "sum mean max min prod std var median ptp cumsum cumprod argmax argmin argsort all any nansum nanmean nanmax average "
    "count_nonzero diff nanstd cumulative_sum nancumsum"
)
OF_TWO = (
    "add subtract multiply divide maximum minimum arctan2 hypot logaddexp logaddexp2 power fmod remainder mod "
    "floor_divide copysign fmax fmin heaviside greater greater_equal less less_equal equal not_equal ldexp"
)


def dense(p: Any, x: Any) -> Any:
    return x @ p["w"] + p["b"]


def positive(x: Any) -> Any:
    return 0.05 + 0.9 * jax.nn.sigmoid(x)


def _one(fn: Callable, inside: bool = False) -> tuple[Callable, tuple]:
    return (
        lambda p, x: _floats(fn(positive(dense(p, x)) if inside else dense(p, x))) + 0 * dense(p, x).sum(1)[:1],
        (X,),
    )


def _floats(y: Any) -> Any:
    return jax.tree.leaves(y)[0] * 1.0


def of_two(fn: Callable) -> dict[str, tuple[Callable, tuple]]:
    """A value and another, a number, a weight, and a constant; and the other way around."""
    of = lambda f: (lambda p, x: f(p, positive(dense(p, x))) * 1.0 + 0 * dense(p, x), (X,))
    return {
        "values": of(lambda p, y: fn(y, positive(y[:, ::-1]))),
        "number": of(lambda p, y: fn(y, 0.3)),
        "from a number": of(lambda p, y: fn(0.3, y)),
        "weight": of(lambda p, y: fn(y, p["b"])),
        "from a weight": of(lambda p, y: fn(p["b"], y)),
        "constants": of(lambda p, y: fn(y, jnp.arange(1.0, 7.0))),
    }


OTHERS: dict[str, tuple[Callable, tuple]] = {
    "weights/exp": (lambda p, x: x * jnp.exp(p["b"]), (X,)),
    "weights/normalised": (lambda p, x: x @ (p["w"] / jnp.linalg.norm(p["w"], axis=0)), (X,)),
    "weights/standardised": (lambda p, x: x @ jax.nn.standardize(p["w"], axis=0) + p["b"], (X,)),
    "weights/low rank": (lambda p, x: x @ (p["w"] + p["table"] @ p["table"].T), (X,)),
    "weights/softmax": (lambda p, x: x @ jax.nn.softmax(p["w"]), (X,)),
    "weights/masked": (lambda p, x: x @ jnp.tril(p["w"]), (X,)),
    "weights/symmetric": (lambda p, x: x @ (p["w"] + p["w"].T), (X,)),
    "weights/learned scalar": (lambda p, x: x * p["one"] + jax.nn.sigmoid(p["one"]), (X,)),
    "weights/square": (lambda p, x: x * p["b"] ** 2 + p["b"], (X,)),
    "weights/token": (lambda p, x: jnp.concatenate([jnp.broadcast_to(jnp.tanh(p["b"]), (x.shape[0], 1, 6)), x], 1), (SEQUENCE,)),
    "index/rows": (lambda p, x: dense(p, x)[:, jnp.array([0, 2, 1])], (X,)),
    "index/by data": (lambda p, i: p["table"][i] @ p["table"].T, (IDS,)),
    "index/take": (lambda p, i: jnp.take(jnp.tanh(p["table"]), i, axis=0), (IDS,)),
    "index/take_along": (lambda p, x: jnp.take_along_axis(dense(p, x), jnp.argsort(x, 1), 1), (X,)),
    "index/best": (lambda p, x: jax.vmap(lambda r: r[jnp.argmax(r)])(dense(p, x)), (X,)),
    "index/one hot": (lambda p, i: jax.nn.one_hot(i, 6) @ p["table"], (IDS,)),
    "index/set": (lambda p, x: dense(p, x).at[:, 0].set(1.0), (X,)),
    "index/add window": (lambda p, x: dense(p, x).at[:, 1:3].add(x[:, :2]), (X,)),
    "index/multiply": (lambda p, x: dense(p, x).at[:, jnp.array([1, 3])].multiply(x[:, :2]), (X,)),
    "index/set inside": (lambda p, x: (x @ p["w"]).at[:, 1:4, 2].set(0.5), (SEQUENCE,)),
    "index/dynamic": (lambda p, x: lax.dynamic_slice_in_dim(dense(p, x), 2, 3, 1), (X,)),
    "index/update": (lambda p, x: lax.dynamic_update_slice_in_dim(dense(p, x), x[:, :2], 3, 1), (X,)),
    "index/segment": (lambda p, x: jax.vmap(lambda r: jax.ops.segment_sum(r, jnp.array([0, 0, 1, 1, 2, 2]), 3))(dense(p, x)), (X,)),
    "sort/values": (lambda p, x: jnp.sort(dense(p, x), 1), (X,)),
    "sort/descending": (lambda p, x: jnp.sort(dense(p, x), 1, descending=True), (X,)),
    "sort/top_k": (lambda p, x: lax.top_k(dense(p, x), 2)[0], (X,)),
    "sort/gate": (lambda p, x: jnp.where(dense(p, x) >= lax.top_k(dense(p, x), 2)[0][:, -1:], dense(p, x), 0.0), (X,)),
    "sort/quantile": (lambda p, x: jnp.quantile(dense(p, x), 0.3, axis=1), (X,)),
    "shape/roll": (lambda p, x: jnp.roll(dense(p, x), 2, 1), (X,)),
    "shape/repeat": (lambda p, x: jnp.repeat(dense(p, x), 3, 1), (X,)),
    "shape/tile": (lambda p, x: jnp.tile(dense(p, x), (1, 2)), (X,)),
    "shape/pad": (lambda p, x: jnp.pad(dense(p, x), ((0, 0), (1, 2))), (X,)),
    "shape/reflect": (lambda p, x: jnp.pad(x @ p["w"], ((0, 0), (2, 1), (0, 0)), mode="reflect"), (SEQUENCE,)),
    "shape/stack": (lambda p, x: jnp.stack([dense(p, x), x], 1), (X,)),
    "shape/with weights": (lambda p, x: jnp.concatenate([dense(p, x), jnp.broadcast_to(p["b"], x.shape)], 1), (X,)),
    "shape/with constants": (lambda p, x: jnp.concatenate([dense(p, x), jnp.ones_like(x)], 1), (X,)),
    "shape/triangle": (lambda p, x: jnp.tril(jnp.einsum("bti,bsi->bts", x @ p["w"], x)), (SEQUENCE,)),
    "shape/flip": (lambda p, x: dense(p, x)[:, ::-1], (X,)),
    "shape/strided": (lambda p, x: dense(p, x)[:, ::2], (X,)),
    "shape/swapped": (lambda p, x: jnp.swapaxes(x @ p["w"], 1, 2).reshape(x.shape[0], -1), (SEQUENCE,)),
    "product/einsum": (lambda p, x: jnp.einsum("bti,ij,bsj->bts", x, p["w"], x), (SEQUENCE,)),
    "product/outer": (lambda p, x: jnp.einsum("bi,bj->bij", dense(p, x), x), (X,)),
    "product/constant": (lambda p, x: dense(p, x) @ jnp.asarray(X[:4].T @ X[:4]), (X,)),
    "product/left": (lambda p, x: jax.vmap(lambda r: p["w"] @ r + p["b"])(x), (X,)),
    "product/left of a matrix": (lambda p, x: jax.vmap(lambda r: p["w"] @ r.T)(x), (SEQUENCE,)),
    "product/kron": (lambda p, x: jax.vmap(lambda r: jnp.kron(r, p["b"]))(x), (X,)),
    "product/attention": (lambda p, x: jax.nn.dot_product_attention(*[(x @ p["w"]).reshape(-1, 5, 2, 3)] * 3), (SEQUENCE,)),
    "conv/same": (lambda p, x: lax.conv_general_dilated(x, p["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), (IMAGE,)),
    "conv/strided": (lambda p, x: lax.conv_general_dilated(x, p["k"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), (IMAGE,)),
    "conv/dilated": (lambda p, x: lax.conv_general_dilated(x, p["k"], (1, 1), "VALID", rhs_dilation=(2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")), (IMAGE,)),
    "conv/transposed": (lambda p, x: lax.conv_transpose(x, p["k"], (2, 2), "SAME"), (IMAGE,)),
    "conv/channels first": (lambda p, x: lax.conv(x.transpose(0, 3, 1, 2), p["k"].transpose(3, 2, 0, 1), (1, 1), "VALID"), (IMAGE,)),
    "conv/depthwise": (lambda p, x: lax.conv_general_dilated(x, p["k"].reshape(3, 3, 1, 18), (1, 1), "SAME", feature_group_count=3, dimension_numbers=("NHWC", "HWIO", "NHWC")), (IMAGE,)),
    "conv/standardised": (lambda p, x: lax.conv_general_dilated(x, jax.nn.standardize(p["k"], axis=(0, 1, 2)), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), (IMAGE,)),
    "conv/numpy": (lambda p, x: jax.vmap(lambda r: jnp.convolve(r, p["b"][:3], mode="same"))(x), (X,)),
    "pool/max": (lambda p, x: lax.reduce_window(x * p["one"], -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), (IMAGE,)),
    "pool/sum": (lambda p, x: lax.reduce_window(x * p["one"], 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME"), (IMAGE,)),
    "pool/min": (lambda p, x: lax.reduce_window(x * p["one"], jnp.inf, lax.min, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), (IMAGE,)),
    "pool/channels": (lambda p, x: lax.reduce_window(x * p["one"], -jnp.inf, lax.max, (1, 1, 1, 3), (1, 1, 1, 3), "VALID"), (IMAGE,)),
    "pool/of rows": (lambda p, x: lax.reduce_window(dense(p, x), 0.0, lax.add, (1, 2), (1, 2), "VALID"), (X,)),
    "resize/bilinear": (lambda p, x: jax.image.resize(x * p["one"], (x.shape[0], 16, 16, 3), "bilinear"), (IMAGE,)),
    "resize/nearest": (lambda p, x: jax.image.resize(x * p["one"], (x.shape[0], 4, 16, 3), "nearest"), (IMAGE,)),
    "resize/cubic": (lambda p, x: jax.image.resize(x * p["one"], (x.shape[0], 5, 11, 3), "cubic"), (IMAGE,)),
    "linalg/inv": (lambda p, x: jnp.linalg.inv(jnp.einsum("bti,bsi->bts", x, x) + 5 * jnp.eye(5)) @ (x @ p["w"]), (SEQUENCE,)),
    "linalg/solve": (lambda p, x: jnp.linalg.solve(jnp.einsum("bti,bsi->bts", x, x) + 5 * jnp.eye(5), x @ p["w"]), (SEQUENCE,)),
    "linalg/det": (lambda p, x: jnp.linalg.det(jnp.einsum("bti,bsi->bts", x @ p["w"], x) + 5 * jnp.eye(5)), (SEQUENCE,)),
    "linalg/slogdet": (lambda p, x: jnp.linalg.slogdet(jnp.einsum("bti,bsi->bts", x, x @ p["w"]) + 5 * jnp.eye(5))[1], (SEQUENCE,)),
    "linalg/cholesky": (lambda p, x: jnp.linalg.cholesky(jnp.einsum("bti,bsi->bts", x @ p["w"], x @ p["w"]) + 5 * jnp.eye(5)), (SEQUENCE,)),
    "linalg/eigh": (lambda p, x: jnp.linalg.eigh(jnp.einsum("bti,bsi->bts", x @ p["w"], x @ p["w"]))[0], (SEQUENCE,)),
    "linalg/svd": (lambda p, x: jnp.linalg.svd(x @ p["w"], compute_uv=False), (SEQUENCE,)),
    "linalg/qr": (lambda p, x: jnp.linalg.qr(jnp.swapaxes(x @ p["w"], 1, 2))[1], (SEQUENCE,)),
    "linalg/norm": (lambda p, x: jnp.linalg.norm(x @ p["w"], axis=-1), (SEQUENCE,)),
    "linalg/inv of a weight": (lambda p, x: x @ jnp.linalg.inv(p["w"] + 5 * jnp.eye(6)), (X,)),
    "linalg/triangular": (lambda p, x: jax.scipy.linalg.solve_triangular(p["w"] + 5 * jnp.eye(6), dense(p, x).T, lower=True).T, (X,)),
    "fft/rfft": (lambda p, x: jnp.abs(jnp.fft.rfft(dense(p, x))), (X,)),
    "fft/there and back": (lambda p, x: jnp.fft.irfft(jnp.fft.rfft(dense(p, x)) * 2, n=6), (X,)),
    "fft/mixing": (lambda p, x: jnp.fft.fft2(x @ p["w"]).real, (SEQUENCE,)),
    "fft/rotary": (lambda p, x: ((dense(p, x)[:, ::2] + 1j * dense(p, x)[:, 1::2]) * jnp.exp(1j * x[:, ::2])).real, (X,)),
    "control/fori": (lambda p, x: lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h @ p["w"]) + i, x), (X,)),
    "control/while": (lambda p, x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.tanh(c[1] @ p["w"])), (0, x))[1], (X,)),
    "control/scan": (lambda p, x: jnp.swapaxes(lax.scan(lambda h, t: (jnp.tanh(h @ p["w"] + t),) * 2, jnp.zeros_like(x[:, 0]), jnp.swapaxes(x, 0, 1))[1], 0, 1), (SEQUENCE,)),
    "control/scan of vmap": (lambda p, x: jax.vmap(lambda s: lax.scan(lambda h, t: (jnp.tanh(p["w"] @ h + t),) * 2, jnp.zeros(6, x.dtype), s)[0])(x), (SEQUENCE,)),
    "control/map": (lambda p, x: jnp.swapaxes(lax.map(lambda t: jnp.tanh(t @ p["w"]), jnp.swapaxes(x, 0, 1)), 0, 1), (SEQUENCE,)),
    "control/cond known": (lambda p, x: lax.cond(True, jnp.tanh, jnp.exp, dense(p, x)), (X,)),
    "control/cond of vmap": (lambda p, x: jax.vmap(lambda r: lax.cond(r.sum() > 0, jnp.tanh, jnp.sin, r))(dense(p, x)), (X,)),
    "control/switch of vmap": (lambda p, x: jax.vmap(lambda r: lax.switch(jnp.argmax(r[:3]), [jnp.tanh, jnp.sin, jnp.cos], r))(dense(p, x)), (X,)),
    "control/associative": (lambda p, x: lax.associative_scan(lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1]), (jax.nn.sigmoid(x @ p["w"]), x), axis=1)[1], (SEQUENCE,)),
    "control/remat": (lambda p, x: jax.checkpoint(lambda y: jnp.tanh(y @ p["w"]))(x), (X,)),
    "control/stopped": (lambda p, x: dense(p, x) * lax.stop_gradient(jnp.tanh(x)), (X,)),
    "whole/int arithmetic": (lambda p, i: p["table"][(i * 2 + 1) % 6 // 2], (IDS,)),
    "whole/mask": (lambda p, i: (p["table"][i] * (i > 2)[..., None]).sum(1) / jnp.maximum((i > 2).sum(1, keepdims=True), 1), (IDS,)),
    "whole/bits": (lambda p, i: p["table"][(i & 3) ^ 1], (IDS,)),
    "whole/clip": (lambda p, i: p["table"][jnp.clip(i - 2, 0, 3)], (IDS,)),
    "whole/cumsum": (lambda p, i: p["table"][jnp.cumsum(i > 3, 1)], (IDS,)),
}  # fmt: skip


def cases() -> Iterator[Case]:
    for group, fns in _all().items():
        for name, (fn, inputs) in fns.items():
            yield Case(f"{group}/{name}", lambda fn=fn, inputs=inputs: port.from_jax(fn, _read(fn, inputs), *inputs))


def _read(fn: Callable, inputs: tuple) -> dict[str, Any]:
    """The parameters that a function reads."""
    traced = jax.make_jaxpr(fn)(P, *inputs).jaxpr
    read = {v for eqn in traced.eqns for v in eqn.invars if not isinstance(v, Literal)} | {*traced.outvars}
    return {k: P[k] for k, v in zip(sorted(P), traced.invars) if v in read}


def _all() -> dict[str, dict[str, tuple[Callable, tuple]]]:
    every: dict[str, dict[str, tuple[Callable, tuple]]] = {"numpy": {}, "nn": {}, "special": {}, "reduce": {}}
    for name in ANYWHERE.split():
        if hasattr(jnp, name):
            every["numpy"][name] = _one(getattr(jnp, name))
    for name in INSIDE.split():
        fn = getattr(jnp, name)
        every["numpy"][name] = _one((lambda y, fn=fn: fn(y + 1)) if name == "arccosh" else fn, inside=True)
    for name in NN.split():
        fn = getattr(jax.nn, name)
        every["nn"][name] = _one((lambda y, fn=fn: fn(y, axis=1)) if name.startswith("log") and "exp" in name else fn)
    for name in SPECIAL.split():
        every["special"][name] = _one(getattr(special, name), inside=True)
    for name in REDUCE.split():
        fn = getattr(jnp, name)
        every["reduce"][name] = _one(lambda y, fn=fn: fn(y, axis=1))
    for name in OF_TWO.split():
        fn = getattr(jnp, name)
        fn = (lambda a, b, fn=fn: fn(a, jnp.astype(jnp.asarray(3 * b), int))) if name == "ldexp" else fn
        every[f"two {name}"] = of_two(fn)
    for name, case in OTHERS.items():
        group, _, rest = name.partition("/")
        every.setdefault(group, {})[rest] = case
    return every
