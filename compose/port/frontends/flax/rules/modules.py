"""Dense layers, convolutions, embeddings and dropout of Flax, Linen and NNX."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rules
from compose.port.frontends.flax.values import Value, Weight
from compose.port.ir.weights import Take


@rules("flax.linen.linear.Dense", "flax.nnx.nn.linear.Linear")
def _dense(low, module, x):
    size = low.weights["kernel"].shape[1]
    return low.emit(word("fc")(size, bias="bias" in low.weights), x, weights=low.weights)


@rules("flax.linen.linear.DenseGeneral", "flax.nnx.nn.linear.LinearGeneral")
def _dense_general(low, module, x):
    features = _tuple(getattr(module, "features", None) or getattr(module, "out_features", None))
    axes = tuple(a % x.ndim for a in _tuple(module.axis))
    batch = module.batch_dims if isinstance(module.batch_dims, dict) else dict.fromkeys(_tuple(module.batch_dims))
    if batch:
        raise PortError(f"a dense layer without batch_dims, got {tuple(batch)}")
    if axes == (x.ndim - 1,) and len(features) == 1:
        return low.emit(word("fc")(features[0], bias="bias" in low.weights), x, weights=low.weights)
    letters = string.ascii_lowercase
    given, new = letters[: x.ndim], letters[x.ndim : x.ndim + len(features)]
    kept = "".join(c for i, c in enumerate(given) if i not in axes)
    kernel = "".join(given[a] for a in axes) + new
    options = {"bias": new} if "bias" in low.weights else {}
    made = word("einsum")(f"{given},{kernel}->{kept}{new}", features, **options)
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.linear.Conv", "flax.nnx.nn.linear.Conv")
def _conv(low, module, x):
    if module.mask is not None:
        raise PortError("a convolution without a mask on its kernel")
    kernel = _tuple(module.kernel_size)
    rank = len(kernel)
    if x.ndim != rank + 2 or set(spread(module.input_dilation, rank)) != {1}:
        raise PortError(f"a convolution of (batch, *space, channels) without input_dilation, got {x.ndim} axes")
    stride, dilation = spread(module.strides, rank), spread(module.kernel_dilation, rank)
    padding = paddings(module.padding, rank)
    if padding in ("circular", "reflect"):
        mode = "wrap" if padding == "circular" else "reflect"
        total = [d * (k - 1) for k, d in zip(kernel, dilation)]
        widths = tuple((n // 2, n - n // 2) for n in total)
        shape = (x.shape[0], *(n + w for n, w in zip(x.shape[1:-1], total)), x.shape[-1])
        x, padding = low.emit(word("pad")(widths, mode), x, shape=shape), "valid"
    made = word("conv")(
        low.weights["kernel"].shape[-1], one(kernel), stride=one(stride), padding=padding, dilation=one(dilation),
        groups=module.feature_group_count, bias="bias" in low.weights,
    )  # fmt: skip
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.linear.ConvTranspose", "flax.nnx.nn.linear.ConvTranspose")
def _conv_transpose(low, module, x):
    kernel = _tuple(module.kernel_size)
    rank = len(kernel)
    dilation = spread(module.kernel_dilation, rank)
    padding = paddings(module.padding, rank)
    if module.mask is not None or x.ndim != rank + 2 or padding in ("circular", "reflect", "causal"):
        raise PortError('a transposed convolution of (batch, *space, channels) with padding "SAME", "VALID" or numbers')
    if not isinstance(padding, str):
        spans = [d * (k - 1) for k, d in zip(kernel, dilation)]
        pairs = padding if isinstance(padding, tuple) else ((padding, padding),) * rank
        pairs = [(p, p) if isinstance(p, int) else p for p in pairs]
        padding = one(tuple(one((s - lo, s - hi)) for s, (lo, hi) in zip(spans, pairs)))
    filters = low.weights["kernel"].shape[-2 if module.transpose_kernel else -1]
    made = word("conv_transpose")(
        filters, one(kernel), stride=one(spread(module.strides, rank)), padding=padding, dilation=one(dilation),
        bias="bias" in low.weights,
    )  # fmt: skip
    weights = dict(low.weights)
    if module.transpose_kernel:
        axes, flip = (*range(rank), rank + 1, rank), tuple(range(rank))
        weights["kernel"] = Take(weights["kernel"].take.source, axes=axes, flip=flip, note="HWOI→HWIO, turned around")
    return low.emit(made, x, weights=weights)


@rules("flax.linen.linear.Embed", "flax.nnx.nn.linear.Embed")
def _embed(low, module, x):
    count, size = low.weights["embedding"].shape
    if not isinstance(x, Value):
        return _positions(low.weights["embedding"], np.asarray(x))
    return low.emit(word("embedding")(count, size), x, weights=low.weights)


def _positions(table: Weight, places: np.ndarray) -> Weight:
    """The first rows of a table, as those of positions."""
    (count, size), time = table.shape, places.shape[-1]
    if not (places == np.arange(time)).all():
        raise PortError("an embedding of ids that are an input, or of the positions 0, 1, 2, ...")
    own = (*(1,) * (places.ndim - 1), time, size)
    rows = None if time == count else (0, time)
    return table.taken(Take(table.take.source, rows=rows, shape=own), (*places.shape, size), own, count)


@rules("flax.linen.stochastic.Dropout", "flax.nnx.nn.stochastic.Dropout")
def _dropout(low, module, x, *args, **options):
    if not module.rate:
        return x
    shared = tuple(module.broadcast_dims)
    return low.emit(word("dropout")(float(module.rate), **({"shared_axes": shared} if shared else {})), x)


@rules("flax.linen.activation.PReLU", "flax.nnx.nn.activations.PReLU")
def _prelu(low, module, x):
    return low.emit(word("prelu"), x, weights={"negative_slope": _only(low.weights)})


def _only(weights: dict[str, Weight]) -> Weight:
    (weight,) = weights.values()
    return weight


def one(values: Any) -> Any:
    """A tuple of equal numbers as the number."""
    return values[0] if isinstance(values, tuple) and len(set(values)) == 1 else values


def spread(value: Any, rank: int) -> tuple[int, ...]:
    """A number for each spatial axis; None is 1."""
    value = 1 if value is None else value
    return (value,) * rank if isinstance(value, int) else tuple(value)


def paddings(padding: Any, rank: int) -> Any:
    """Flax's padding as ours."""
    if isinstance(padding, str):
        return padding.lower()
    if isinstance(padding, int):
        return padding or "valid"
    pairs = tuple(p if isinstance(p, int) else one(tuple(p)) for p in padding)
    pairs = pairs * rank if len(pairs) == 1 else pairs
    made = pairs[0] if len(set(pairs)) == 1 and isinstance(pairs[0], int) else pairs
    return "valid" if made == 0 else made


def _tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
