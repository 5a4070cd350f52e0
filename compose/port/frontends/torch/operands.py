"""Parameters, buffers and constants where a rule wants a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.ir.weights import Constant, Take
from compose.port.lowering.values import Value, Weight, identity_axes


def as_value(low: Any, given: Any, like: Value) -> Value:
    """A parameter or a constant as a value that broadcasts against `like`, in the same layout.

    Raises `PortError` for one that is not the same for each example.
    """
    if isinstance(given, Value):
        return given
    shape = broadcast_shape(given, like)
    like = low.whole(like)
    if like.axes[0] != 0:
        like = low.as_source(like)
    ours = tuple(shape[a] for a in like.axes[1:])
    take = taken(given, shape[1:], tuple(a - 1 for a in like.axes[1:]), ours)
    return low.emit(
        word("parameter")(*ours), like, shape=(like.shape[0], *shape[1:]), axes=like.axes, weights={"value": take}
    )


def with_array(low: Any, name: str, x: Any, given: Any) -> Value:
    """`learned_bias` or `learned_scale` of a parameter or constant that broadcasts to `x`."""
    x = low.whole(x)
    rank = len(given.shape)
    if rank > x.ndim or any(n not in (1, m) for n, m in zip(given.shape[::-1], x.shape[::-1])):
        raise PortError(f"an array that broadcasts to {x.shape}, got {tuple(given.shape)}")
    shape = (1,) * (x.ndim - rank) + tuple(given.shape)
    ours = tuple(shape[a] for a in x.axes)
    while len(ours) > 1 and ours[0] == 1:
        ours = ours[1:]
    layer = word(name)() if ours == (x.ours[-1],) else word(name)(ours)
    take = taken(given, shape, x.axes, ours)
    return low.emit(layer, x, weights={name.removeprefix("learned_"): take})


def broadcast_shape(given: Any, like: Value) -> tuple[int, ...]:
    """The shape with as many axes as `like`, 1 for the batch's."""
    shape = (1,) * (like.ndim - len(given.shape)) + tuple(given.shape)
    if len(shape) > like.ndim or shape[0] != 1:
        raise PortError(f"an array that is the same for each example, got one of shape {tuple(given.shape)}")
    return shape


def taken(given: Any, shape: tuple[int, ...], order: tuple[int, ...], ours: tuple[int, ...]) -> Take:
    """How an array of the source is taken: reshaped, its axes in another order, and reshaped to ours."""
    if not isinstance(given, Weight):
        array = np.asarray(given)
        return Constant(array=array.reshape(shape).transpose(order).reshape(ours))
    take = given.take
    if take.axes is not None:
        raise PortError("a parameter in the order of axes in which it is stored")
    stays = order == identity_axes(len(order)) or sum(n != 1 for n in shape) < 2
    if stays:
        return Take(take.source, take.rows, shape=None if ours == given.array.shape else ours)
    return Take(take.source, take.rows, split=shape, axes=order, shape=ours)
