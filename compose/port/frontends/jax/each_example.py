"""What a trace repeats for each example: left undone where an operation broadcasts it anyway, a layer elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.values import Value, Weight
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.literals import number, unrepeated

_SMALL = 1000  # so many numbers of a constant are written out, where they are the same number
_IDLE = {"mul": 1, "add": 0}


def filled(low: Any, x: Any, like: Value | None = None) -> Value:
    """A weight, a constant or a value with all its rows, as a value; `like` is any value, which the layer ignores."""
    made = _with_batch(low, x) if isinstance(x, (Weight, np.ndarray)) else None
    return whole(low, low.as_value(x, like)) if made is None else made


def _with_batch(low: Any, x: Any) -> Value | None:
    """A weight or a constant with a row for each example, all alike; None for any other."""
    constant = isinstance(x, np.ndarray)
    if x.shape[:1] != (low.batch,) or (constant and (id(x) in low.numbers or x.dtype.kind == "c")):
        return None
    own = unrepeated(x).shape if constant else x.own
    if len(own) != len(x.shape) or own[0] != 1:
        return None
    rest = x.shape[1:] if constant and math.prod(x.shape[1:]) <= _SMALL else own[1:]
    given = np.array(np.broadcast_to(unrepeated(x)[0], rest)) if constant else x.taken(_reshaped(x, rest), rest)
    layer, arrays = layer_of(given, rest)
    made = low.emit(layer, low.of_batch_first(), shape=(low.batch, *rest), **arrays)
    if rest != x.shape[1:]:
        made = low.emit(word("broadcast_to")(*x.shape[1:]), made, shape=x.shape)
    return made.but(dtype=x.dtype if constant else np.dtype(np.float64))


def _reshaped(weight: Weight, shape: tuple[int, ...]) -> Any:
    return replace(weight.view, shape=shape)


def whole(low: Any, x: Any) -> Any:
    """A value broadcast along the batch, where the trace did so."""
    if not isinstance(x, Value) or not x.own:
        return x
    part, along = x.but(own=()), [i for i, n in enumerate(x.shape) if n and n % low.batch == 0]
    if not along:
        return low.emit(word("ops.broadcast_to")(shape=x.shape), part, shape=x.shape)
    at, rows = along[0], x.shape[along[0]] // low.batch
    if x.own[at] == x.shape[at]:  # it has the batch, and is broadcast along other axes
        return low.emit(
            word("ops.broadcast_to")(shape=x.shape) if at else word("broadcast_to")(*x.shape[1:]), part, shape=x.shape
        )
    if len(along) > 1 or (at and rows > 1):
        raise PortError("what is repeated for each example along one axis, as its rows along the first")
    first = (at, *(i for i in range(x.ndim) if i != at))
    rest = tuple(1 if i == at else n for i, n in enumerate(x.shape))
    if rest != x.own:
        part = low.emit(word("ops.broadcast_to")(shape=rest), part, shape=rest)
    if at:
        part = low.emit(word("permute")(*first), part, shape=tuple(rest[i] for i in first))
    if rows > 1:
        part = low.emit(word("ops.broadcast_to")(shape=(1, rows, *rest[1:])), part, shape=(1, rows, *rest[1:]))
    each = (low.batch, *part.shape[1:])
    made = low.emit(word("expand_batch"), part, low.of_batch_first(), shape=each)
    if at:
        made = low.emit(word("permute")(*(first.index(i) for i in range(x.ndim))), made, shape=x.shape)
    if rows > 1:
        made = low.emit(word("flatten")(start=0, end=1), made, shape=x.shape)
    return made.but(dtype=x.dtype)


def before_repeated(given: list) -> tuple[int, ...]:
    """The shape of what an operation of each element makes, if nothing that it reads is repeated before."""
    shapes = [unrepeated(v).shape if isinstance(v, np.ndarray) else getattr(v, "own", ()) or v.shape for v in given]
    return np.broadcast_shapes(*shapes)


def uniform(x: Any) -> Any:
    """A constant of one number as that number, repeated: rules that read it do not say how often it is there."""
    if not isinstance(x, np.ndarray) or number(x) is None or unrepeated(x).size == 1:
        return x
    return np.broadcast_to(x[(slice(0, 1),) * x.ndim], x.shape)


def repeated_to(x: Any, shape: tuple[int, ...]) -> Any:
    """A value or a weight as one that the trace repeats to a shape; anything else as it is."""
    if not isinstance(x, (Value, Weight)) or x.shape == shape or len(x.shape) != len(shape):
        return x
    return replace(x, shape=shape, own=x.own or x.shape)


def unchanged(name: str, given: list, shape: tuple[int, ...]) -> Weight | None:
    """A weight times ones or plus zeros, which say only how often it is repeated; None for anything else."""
    for weight, known in (given, given[::-1]) if name in _IDLE and len(given) == 2 else ():
        plain = isinstance(weight, Weight) and isinstance(known, np.ndarray) and len(weight.shape) == len(shape)
        if plain and number(known) == _IDLE[name]:
            return replace(weight, shape=shape)
    return None


def own_of(own: tuple[int, ...], shape: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...] | None:
    """What an array is before it is repeated to `new`, of one repeated to `shape`; None if more than axes of 1 change.

    >>> own_of((1, 1, 3), (1, 8, 3), (8, 3)), own_of((1, 3), (8, 3), (24,))
    ((1, 3), None)
    """
    kept = [m for n, m in zip(shape, own) if n != 1]
    if len(own) != len(shape) or [n for n in shape if n != 1] != [n for n in new if n != 1]:
        return None
    return tuple(kept.pop(0) if n != 1 else 1 for n in new)
