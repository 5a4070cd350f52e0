"""Sorting, the largest, bins, running products, and one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.registry import rule
from compose.port.lowering.values import Value


@rule("aten.sort")
def _sort(low, node, x: Value, axis: Any = -1, descending=False, stable=None):
    x = low.whole(x)
    options = {"axis": x.axis(axis), **({"descending": True} if descending else {})}
    return tuple(low.emit(word(name)(**options), x, shape=x.shape) for name in ("ops.sort", "ops.argsort"))


@rule("aten.argsort")
def _places(low, node, x: Value, *args: Any, **options: Any):
    return _sort(low, node, x, *args, **options)[1]


@rule("aten.topk")
def _largest(low, node, x: Value, k: int, axis: int = -1, largest=True, sorted=True):
    axis, shape = axis % x.ndim, sizes_of(low.node.meta["val"][0])
    x = low.moved(x, (*(a for a in low.whole(x).axes if a != axis), axis))
    both = low.emit(
        word("ops.top_k")(k=k), x if largest else low.emit(word("scale")(by=-1), x, shape=x.shape), shape=shape
    )
    values, places = (low.emit(word("at")(str(i)), both, shape=shape, axes=x.axes) for i in (0, 1))
    return values if largest else low.emit(word("scale")(by=-1), values, shape=shape), places


@rule("aten.cumprod")
def _running_product(low, node, x: Value, axis: int, dtype=None):
    x = low.whole(x)
    return low.emit(word("ops.cumprod")(axis=x.axis(axis)), x)


@rule("aten.bucketize")
def _bins(low, node, x: Value, boundaries: Any, out_int32=False, right=False):
    if not isinstance(boundaries, np.ndarray):
        raise PortError("bins whose boundaries depend on no data")
    if right:
        return low.emit(word("bucketize")(boundaries=tuple(map(float, boundaries))), x)
    above = low.emit(word("scale")(by=-1.0), x, shape=x.shape)  # the number of boundaries below x
    rest = low.emit(word("bucketize")(boundaries=tuple(-float(b) for b in boundaries[::-1])), above, shape=x.shape)
    turned = low.emit(word("scale")(by=-1), rest, shape=x.shape)
    return low.emit(word("add_constant")(value=len(boundaries)), turned)


@rule("aten.one_hot")
def _one_hot(low, node, x: Value, size: int = -1):
    if size < 0:
        raise PortError("one-hot vectors of a size that is given, got num_classes=-1")
    x = low.as_source(x)
    y = low.emit(word("one_hot")(size=size), x, axes=(*x.axes, x.ndim))
    return low.emit(word("ops.astype")(dtype=word("int32")), y)
