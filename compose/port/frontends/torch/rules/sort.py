"""Sorting, the largest, bins, running products, and one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.plain import emitted, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import BATCH, Value


@rule("aten.sort")
def _sort(low, node, x: Value, axis: Any = -1, descending=False, stable=None, dim: Any = None):
    x, axis = low.whole(x), axis if dim is None else dim
    if not x.ndim:
        return x, emitted(low, word("ops.argmax"), x)
    options = {"axis": x.axis(axis), **({"descending": True} if descending else {})}
    return tuple(low.emit(word(name)(**options), x, shape=x.shape) for name in ("ops.sort", "ops.argsort"))


@rule("aten.argsort")
def _places(low, node, x: Value, *args: Any, **options: Any):
    return _sort(low, node, x, *args, **options)[1]


@rule("aten.topk")
def _largest(low, node, x: Value, k: int, axis: int = -1, largest=True, sorted=True):
    shape = sizes_of(low.node.meta["val"][0])
    if not x.ndim:
        return x, emitted(low, word("ops.argmax"), x, shape=())
    axis = axis % x.ndim
    if not largest:  # the first of all in order: NaN are the largest in torch, also where it looks for the smallest
        x = low.whole(x)
        text = ", ".join([":"] * x.axis(axis) + [f":{k}"])
        ordered = (low.emit(word(f"ops.{name}")(axis=x.axis(axis)), x, shape=x.shape) for name in ("sort", "argsort"))
        return tuple(low.emit(word("at")(text), each, shape=shape, axes=x.axes) for each in ordered)
    x = low.moved(x, (*(a for a in low.whole(x).axes if a != axis), axis))
    both = low.emit(word("ops.top_k")(k=k), x, shape=shape)
    return tuple(low.emit(word("at")(str(i)), both, shape=shape, axes=x.axes) for i in (0, 1))


@rules("aten.cumprod", "aten.logcumsumexp", "aten.cumsum")
def _running(low, node, x: Value, axis: int, dtype=None):
    name, x = str(node.target).split(".")[1].removesuffix("_"), low.whole(x)
    if not x.ndim:
        return x
    layer = word({"logcumsumexp": "ops.cumlogsumexp"}.get(name, f"ops.{name}"))
    return low.emit(layer(axis=x.axis(axis)), x)


@rules("aten.cummax", "aten.cummin")
def _extreme_so_far(low, node, x: Value, axis: int):
    """The largest so far, and the last place that has it, from which the gradient comes."""
    (x,), name = plains(low, (x,)), str(node.target).split(".")[1]
    if not x.ndim:
        return x, emitted(low, word("ops.argmax"), x, shape=())
    axis, n = axis % x.ndim, x.shape[axis % x.ndim]
    if n % BATCH == 0:
        raise PortError(f"{name} along another axis than the batch")
    low.sized = True
    makes = lambda layer, *xs: emitted(low, layer, *xs, shape=x.shape)
    best = makes(word(f"ops.{name}")(axis=axis), x)
    hit = makes(word("ops.logical_or"), makes(word("ops.equal"), x, best), makes(word("ops.isnan"), x))
    along = np.arange(n).reshape(-1, *(1,) * (x.ndim - axis - 1))
    place = makes(word("ops.cummax")(axis=axis), makes(word("ops.where"), hit, along, np.zeros_like(along)))
    return makes(word("ops.take_along_axis")(axis=axis), x, place), place


@rules("aten.kthvalue", "aten.median.dim")
def _kth(low, node, x: Value, *args: Any, keepdim: bool = False):
    """The k-th smallest along an axis, and its place; of an even number, torch's median is the lower of the two."""
    (x,), median = plains(low, (x,)), "median" in str(node.target)
    k, *rest = (0, *args) if median else args
    axis, keepdim = rest[0] if rest else -1, rest[1] if len(rest) > 1 else keepdim
    if not x.ndim:
        return x, emitted(low, word("ops.argmax"), x, shape=())
    axis, low.sized = axis % x.ndim, True
    at = (x.shape[axis] - 1) // 2 if median else k - 1
    text = ", ".join([":"] * axis + [f"{at}:{at + 1}" if keepdim else str(at)])
    shape = sizes_of(node.meta["val"][0])
    ordered = [emitted(low, word(f"ops.{name}")(axis=axis), x, shape=x.shape) for name in ("sort", "argsort")]
    found = tuple(emitted(low, word("at")(text), each, shape=shape) for each in ordered)
    if not median or not node.args[0].meta["val"].is_floating_point():
        return found
    last = ", ".join([":"] * axis + ["-1:" if keepdim else "-1"])
    ends = [emitted(low, word("at")(last), each, shape=shape) for each in ordered]
    return tuple(_or_nan(low, ends[0], end, each) for end, each in zip(ends, found))


@rule("aten.median.default")
def _median(low, node, x: Value):
    (x,) = plains(low, (x,))
    n, low.sized = int(np.prod(x.shape)), True
    if n % BATCH == 0:
        raise PortError("a median of each example")
    flat = emitted(low, word("ops.sort")(axis=0), emitted(low, word("ops.ravel"), x, shape=(n,)), shape=(n,))
    middle = emitted(low, word("at")(str((n - 1) // 2)), flat)
    if not node.args[0].meta["val"].is_floating_point():
        return middle
    last = emitted(low, word("at")("-1"), flat)
    return _or_nan(low, last, last, middle)


def _or_nan(low: Any, largest: Value, last: Value, middle: Value) -> Value:
    """What is found at the middle, or at the end if NaN lie there: their median is NaN in torch."""
    isnan = emitted(low, word("ops.isnan"), largest, shape=middle.shape)
    return emitted(low, word("ops.where"), isnan, last, middle, shape=middle.shape)


@rule("aten.nanmedian.default")
def _nanmedian(low, node, x: Value):
    """The lower median of the numbers that are some: NaN lie behind them all."""
    n = int(np.prod(x.shape))
    flat = emitted(low, word("ops.ravel"), x, shape=(n,))
    return _lower_median(low, flat, 0, ())[0]


@rule("aten.nanmedian.dim")
def _nanmedian_along(low, node, x: Value, axis: int = -1, keepdim: bool = False):
    (x,) = plains(low, (x,))
    if not x.ndim:
        return x, emitted(low, word("ops.argmax"), x, shape=())
    axis = axis % x.ndim
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    found = _lower_median(low, x, axis, shape)
    if not keepdim:
        return found
    kept = (*shape[:axis], 1, *shape[axis:])
    return tuple(emitted(low, word("ops.expand_dims")(axis=axis), v, shape=kept) for v in found)


def _lower_median(low: Any, x: Any, axis: int, shape: tuple[int, ...]) -> tuple[Value, Value]:
    """The lower median of what is not NaN along an axis, and its place."""
    (x,) = plains(low, (x,))
    if x.shape[axis] % BATCH == 0:
        raise PortError("a median of each example")
    low.sized, one = True, (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    some = emitted(low, word("ops.isfinite"), x, shape=x.shape)  # an infinity is some number too
    some = emitted(low, word("ops.logical_or"), some, emitted(low, word("ops.isinf"), x, shape=x.shape), shape=x.shape)
    count = emitted(low, word("ops.sum")(axis=axis, keepdims=True), some, shape=one)
    last = emitted(low, word("add_constant")(value=-1), count, shape=one)
    middle = emitted(low, word("ops.floor_divide")(x2=2), last, shape=one)
    at = emitted(low, word("ops.maximum")(y=0), middle, shape=one)
    order = emitted(low, word("ops.argsort")(axis=axis), x, shape=x.shape)
    place = emitted(low, word("ops.take_along_axis")(axis=axis), order, at, shape=one)
    value = emitted(low, word("ops.take_along_axis")(axis=axis), x, place, shape=one)
    value, place = (emitted(low, word("ops.squeeze")(axis=axis), v, shape=shape) for v in (value, place))
    return value, place


@rule("aten.histc")
def _counts(low, node, x: Value, bins: int = 100, least: float = 0, most: float = 0):
    """How many elements lie in each of equal bins."""
    given = {} if least == most == 0 else {"range": (float(least), float(most))}
    if least == most != 0:
        raise PortError("bins between two numbers that differ")
    both = low.emit(word("ops.histogram")(bins=bins, **given), *plains(low, (x,)), shape=(), axes=())
    counts = low.emit(word("at")("0"), both, shape=low.shape, axes=(0,))
    return counts


@rule("aten.bucketize")
def _bins(low, node, x: Any, boundaries: Any, out_int32=False, right=False):
    if right and isinstance(x, Value) and isinstance(boundaries, np.ndarray):
        return low.emit(word("bucketize")(boundaries=tuple(map(float, boundaries))), x)
    return _rank(low, boundaries, x, right)


@rule("aten.searchsorted")
def _sorted_in(low, node, rows: Any, x: Any, out_int32=False, right=False, side=None, sorter=None):
    if sorter is not None:
        raise PortError("values that are sorted, got a sorter")
    return _rank(low, rows, x, right or side == "right")


def _rank(low: Any, rows: Any, x: Any, right: bool) -> Value:
    """Where values would stand in sorted ones; NaN stands behind them all."""
    if len(rows.shape) != 1:
        raise PortError(f"one row of sorted values, got them of shape {tuple(rows.shape)}")
    return emitted(low, word("ops.searchsorted")(**({"side": "right"} if right else {})), rows, x)


@rule("aten.one_hot")
def _one_hot(low, node, x: Value, size: int = -1):
    if size < 0:
        raise PortError("one-hot vectors of a size that is given, got num_classes=-1")
    x = low.as_source(x)
    y = low.emit(word("one_hot")(size=size), x, axes=(*x.axes, x.ndim))
    return low.emit(word("ops.astype")(dtype=word("int32")), y)
