"""Indexing with arrays of integers that depend on no data."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.registry import rule
from compose.port.frontends.torch.rules.dense import places
from compose.port.frontends.torch.weight_expressions import rows
from compose.port.lowering.values import BATCH, Value, Weight, identity_axes


@rule("aten.index")
def _index(low, node, x: Any, where: list):
    """`x[where]`, an array of places for one axis; that of the batch may be indexed with its own places beside it."""
    if isinstance(x, Weight):
        return _of_table(low, x, where)
    if len(where) == 2 and isinstance(where[1], Value) and _is_batch(where[0], 1):
        return _of_each(low, x, where[1])
    if not isinstance(x, Value) or any(isinstance(p, Value) for p in where):
        raise PortError("a value indexed with constants, or one place for each example")
    shape, x = low.shape, low.as_source(x)
    given = {axis: np.asarray(p) for axis, p in enumerate(where) if p is not None}
    rank = max(p.ndim for p in given.values())
    own = given.pop(0, None) if 0 in given and _is_batch(given[0], rank) else None
    if len(given) != 1 or any(p.dtype == bool for p in given.values()):
        raise PortError("one axis indexed with an array of integers, and no other")
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


def _of_table(low: Any, x: Weight, where: list) -> Any:
    """Rows, or columns, of a parameter at constant places."""
    given = [(axis, p) for axis, p in enumerate(where) if p is not None]
    if len(given) != 1 or not isinstance(given[0][1], np.ndarray) or len(x.shape) != 2:
        raise PortError("a table of parameters indexed with an array of integers")
    ((axis, index),) = given
    if axis == 0:
        return places(low, x, index)
    made = rows(low, x.turned((1, 0)), index)
    return made.but(shape=(made.shape[-1], *made.shape[:-1]), axes=(*range(1, made.ndim), 0))


def _of_each(low: Any, x: Value, place: Value) -> Value:
    """`x[arange(batch), place]`: of each example the step that it names."""
    shape, x = low.shape, low.as_source(x)
    rest = string.ascii_lowercase[2 : x.ndim]
    chosen = low.emit(word("one_hot")(size=x.shape[1]), place, shape=x.shape[:2], axes=(0, 1))
    equation = f"ab,ab{rest}->a{rest}"
    return low.emit(word("contract")(equation=equation), chosen, x, shape=shape, axes=identity_axes(len(shape)))


@rule("aten.gather")
def _gather(low, node, x: Any, axis: int, where: Any, sparse_grad: bool = False):
    """Of a constant that is the same everywhere, itself."""
    if isinstance(x, np.ndarray) and (x == x.flat[0]).all():
        return np.full((1,) * x.ndim, x.flat[0])
    raise PortError("gather from a constant that is the same everywhere")


def _is_batch(places: Any, rank: int) -> bool:
    """Whether they are the place of each example, along the first of the axes of the result."""
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
