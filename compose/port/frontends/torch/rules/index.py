"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.each_example import spread
from compose.port.frontends.torch.plain import emitted, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.dense import places
from compose.port.frontends.torch.rules.recurrent import States
from compose.port.frontends.torch.rules.scatter import indices
from compose.port.frontends.torch.sizes import from_the_end
from compose.port.frontends.torch.weight_expressions import rows
from compose.port.ir.weights import View
from compose.port.lowering.values import BATCH, Value, Weight, identity_axes


@rule("aten.index")
def _index(low, node, x: Any, where: list):
    """`x[where]` with an array of indices for one axis; the batch axis may be indexed by `arange(batch)` as well."""
    if isinstance(x, Weight) and not any(isinstance(p, Value) for p in where):
        return _of_table(low, x, where)
    if len(where) == 2 and isinstance(where[1], Value) and _is_batch(where[0], 1):
        return _of_each(low, x, where[1])  # pyright: ignore[reportArgumentType]  a table too
    if not isinstance(x, Value) or any(isinstance(p, Value) for p in where):
        return _of_places(low, x, where)
    shape, x = low.shape, low.as_source(x)
    given = {axis: np.asarray(p) for axis, p in enumerate(where) if p is not None}
    rank = max(p.ndim for p in given.values())
    own = given.pop(0, None) if 0 in given and _is_batch(given[0], rank) else None
    if len(given) != 1 or any(p.dtype == bool for p in given.values()):
        return _of_places(low, x, where)
    ((axis, index),) = given.items()
    if own is not None:
        index = index.reshape(index.shape[1:] if index.ndim == rank else index.shape)
    made = _taken(low, x, axis, index.ravel())
    if made.shape == shape:
        return made
    wide = low.emit(word("reshape")(*shape[1:]), made, shape=shape, axes=identity_axes(len(shape)))
    if own is not None and made is x and shape == (x.shape[0], 1, 1, *x.shape[1:]):
        low.record_key_mask(wide, x)
    return wide


def _of_places(low: Any, x: Any, where: list) -> Value:
    """Elements at places that are values, or in several axes at once."""
    axes, given = indices(low, where)
    x = spread(low, x, low.node.args[0])
    return _at_places(low, x, axes, given)


def _at_places(low: Any, x: Any, axes: tuple[int, ...], given: Sequence[Any]) -> Value:
    return emitted(low, word("index_axes")(**({} if axes == (0,) else {"axes": axes})), x, *given)


def _of_table(low: Any, x: Weight, where: list) -> Any:
    """Rows or columns of a parameter at constant indices."""
    given = [(axis, p) for axis, p in enumerate(where) if p is not None]
    if not all(isinstance(places, np.ndarray) for _, places in given):
        raise PortError("a table of parameters indexed with an array of integers")
    if len(given) != 1 or len(x.shape) != 2:
        return _at_places(low, x, tuple(axis for axis, _ in given), [index for _, index in given])
    ((axis, index),) = given
    if axis == 0:
        return places(low, x, index)
    made = rows(low, x.turned((1, 0)), index)
    return made.but(shape=(made.shape[-1], *made.shape[:-1]), axes=(*range(1, made.ndim), 0))


def _of_each(low: Any, x: Value, place: Value) -> Value:
    """`x[arange(batch), place]`: one step of each example."""
    shape, x = low.shape, low.as_source(x)
    rest = string.ascii_lowercase[2 : x.ndim]
    chosen = low.emit(word("one_hot")(size=x.shape[1]), place, shape=x.shape[:2], axes=(0, 1))
    equation = f"ab,ab{rest}->a{rest}"
    return low.emit(word("contract")(equation=equation), chosen, x, shape=shape, axes=identity_axes(len(shape)))


@rule("aten.gather")
def _gather(low, node, x: Any, axis: int, where: Any, sparse_grad: bool = False):
    """The elements at places along an axis; of a constant whose elements are all equal, that one."""
    if isinstance(x, np.ndarray) and (x == x.flat[0]).all():
        return np.full((1,) * x.ndim, x.flat[0])
    x, where = plains(low, (spread(low, x, node.args[0]), spread(low, where, node.args[2])))
    shape = low.shape
    if not x.ndim:
        return emitted(low, word("ops.take")(axis=0), emitted(low, word("ops.ravel"), x, shape=(1,)), where)
    axis = axis % x.ndim
    if where.shape[0] != x.shape[0] and where.shape[0] % BATCH == 0 and axis != 0:
        raise PortError("gather at places for each example")
    kept = [":" if a == axis or n == x.shape[a] else f":{n}" for a, n in enumerate(where.shape)]
    if set(kept) != {":"}:  # `take_along_axis` would broadcast the places instead
        cut = tuple(x.shape[a] if a == axis else n for a, n in enumerate(where.shape))
        x = low.emit(word("at")(", ".join(kept)), x, shape=cut, axes=x.axes)
    return low.emit(word("ops.take_along_axis")(axis=axis), x, where, shape=shape, axes=identity_axes(len(shape)))


@rule("aten.index_select")
def _index_select(low, node, x: Any, axis: int, where: Any):
    """Slices along an axis."""
    known = where.array if isinstance(where, Weight) else where
    if isinstance(x, Value) and x.ndim and isinstance(known, np.ndarray) and known.ndim == 1 and known.size:
        return _taken(low, low.as_source(x), axis % x.ndim, known)
    if not len(x.shape):
        raise PortError("slices of a value with axes, got one number")
    return emitted(low, word("ops.take")(axis=axis % len(x.shape)), x, where)


@rules("aten.unfold", "aten.unfold_copy")
def _windows(low, node, x: Any, axis: int, size: int, step: int):
    """Windows along an axis, whose elements are a last axis."""
    (x,), shape = plains(low, (x,)), low.shape
    if not x.ndim:
        return emitted(low, word("ops.reshape")(shape=shape), x)
    axis, low.sized = axis % x.ndim, True
    if x.shape[axis] % BATCH == 0:
        raise PortError("windows along another axis than the batch")
    where = np.arange(shape[axis])[:, None] * step + np.arange(size)
    wide = (*x.shape[:axis], *where.shape, *x.shape[axis + 1 :])
    made = emitted(low, word("ops.take")(axis=axis), x, where, shape=wide)
    return emitted(low, word("ops.moveaxis")(source=axis + 1, destination=-1), made)


@rules("aten.as_strided", "aten.as_strided_copy")
def _strided(low, node, x: Any, size: list[int], stride: list[int], offset: int | None = None):
    """Elements at places that strides give, of a tensor whose elements lie one after the other."""
    (x,), given = plains(low, (x,)), node.args[0].meta["val"]
    each = math.prod(x.shape[1:])
    if (
        x.ndim > 1
        and x.shape[0] == size[0] == BATCH
        and (stride[0], offset or 0) == (each, 0)
        and given.is_contiguous()
    ):
        low.sized = True  # of each example, as the frames of a spectrum are
        rows = emitted(low, word("ops.reshape")(shape=(-1, each)), x, shape=(BATCH, each))
        return emitted(low, word("ops.take")(axis=1), rows, _strides(size[1:], stride[1:], 0))
    if any(n % BATCH == 0 for n in (*size, *x.shape) if n) or not given.is_contiguous():
        raise PortError("strides in a tensor of known size, whose elements lie one after the other")
    n, low.sized = int(np.prod(x.shape)), True
    flat = emitted(low, word("ops.ravel"), x, shape=(n,))
    return emitted(low, word("ops.take"), flat, _strides(size, stride, offset or 0))


def _strides(size: Sequence[int], stride: Sequence[int], offset: int) -> np.ndarray:
    """The places that strides reach."""
    along = (np.arange(n).reshape(-1, *(1,) * (len(size) - a - 1)) * stride[a] for a, n in enumerate(size))
    return np.broadcast_to(sum(along, np.full((), offset)), tuple(size))


@rule("aten.take")
def _take(low, node, x: Any, where: Any):
    return emitted(low, word("ops.take"), x, where)


def _is_batch(places: Any, rank: int) -> bool:
    """Whether the indices are `arange(batch)` along the first axis of the result."""
    if not isinstance(places, np.ndarray):
        return False
    alone = places.ndim == rank and places.shape[0] == places.size == BATCH
    return alone and np.array_equal(places.ravel(), np.arange(BATCH))


def _taken(low: Any, x: Value, axis: int, where: np.ndarray) -> Value:
    n, first = x.shape[axis], int(where[0])
    where = where % n
    shape = (*x.shape[:axis], where.size, *x.shape[axis + 1 :])
    if np.array_equal(where, np.arange(n)):
        return x
    run = np.array_equal(where, first + np.arange(where.size))
    text = f"{first or ''}:{first + where.size}" if run else str(where.tolist())
    return low.emit(word("at")(", ".join([":"] * axis + [text])), x, shape=shape)


_END = 2**62  # the exporter's place behind the last


@rules("aten.select", "aten.slice")
def _slice(low, node, x: Any, axis=0, *where: Any):
    name = str(node.target).split(".")[1]
    if isinstance(x, States):
        if name == "select" and axis == 0:
            return x.select(where[0])
        x = x.value()
    if isinstance(x, Weight):
        return _rows(low, x, name, axis, *where)
    x = low.whole(x)
    axis = axis % x.ndim
    at = x.axis(axis)
    where = tuple(from_the_end(node, bound, axis) for bound in where)
    if name == "select":
        text = str(where[0])
        axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    else:
        start, stop, step = (*where, None, None, None)[:3]
        low.sized = low.sized or (stop is not None and x.shape[axis] <= stop < _END)
        if start is not None and start <= -x.shape[axis]:  # all of it for this length, as x[:, -x.shape[1]:] for any
            start, low.sized = 0, True
        start = start or 0
        stop = None if stop is None or stop >= x.shape[axis] else stop
        if (start, stop, step or 1) == (0, None, 1):
            return x
        text = f"{start or ''}:{'' if stop is None else stop}" + (f":{step}" if (step or 1) != 1 else "")
        axes = x.axes
    return low.emit(word("at")(", ".join([":"] * at + [text])), x, axes=axes)


def _rows(low, x: Weight, name: str, axis: int, *where: Any) -> Weight:
    """A slice of a parameter: some rows of the stored array; the others are recorded as unread."""
    start, stop, step = (*where, None, None, None)[:3] if name == "slice" else (where[0], where[0] + 1, None)
    start, n = start or 0, x.shape[axis]
    stop = n if stop is None else min(stop, n)
    if (start, stop, step or 1) == (0, n, 1) and name == "slice":
        return x
    plain = x.view == View(x.view.source) and axis == 0 and (step or 1) == 1 and 0 <= start < stop <= n
    if not plain:
        raise PortError("all of a parameter, or rows of its first axis, one after the other")
    low.read_rows(x, start, stop)
    shape = (stop - start, *x.shape[1:]) if name == "slice" else tuple(x.shape[1:])
    view = View(x.view.source, rows=(start, stop), shape=None if name == "slice" else shape)
    made = Weight.of(view, x.array[start:stop].reshape(shape), x.trained)
    return replace(made, places=n - start) if name == "slice" and len(shape) == 2 else made
