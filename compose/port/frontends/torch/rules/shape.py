"""Reshaping, permuting, joining, splitting, filling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.each_example import as_rows, spread
from compose.port.frontends.torch.float64 import exact
from compose.port.frontends.torch.plain import emitted, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.mask import Allowed
from compose.port.frontends.torch.rules.recurrent import States
from compose.port.frontends.torch.undone import TURNS
from compose.port.ir.weights import View
from compose.port.lowering.each_example import has_batch
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes


@rules(*(f"aten.{name}" for name in TURNS))
def _permute(low, node, x, *args):
    order = _order(str(node.target).split(".")[1], len(x.shape), *args)
    if isinstance(x, Weight):
        return x.turned(tuple(order))
    x = low.whole(x)
    return x.but(shape=low.shape, axes=tuple(order.index(a) for a in x.axes))


def _order(name: str, rank: int, *args: Any) -> list[int]:
    """The new order of the source's axes."""
    if not rank:
        return []
    if name == "permute":
        return [a % rank for a in args[0]]
    if name in ("movedim", "moveaxis"):
        given, places = ([v % rank for v in ([a] if isinstance(a, int) else a)] for a in args)
        rest = iter(a for a in range(rank) if a not in given)
        return [given[places.index(i)] if i in places else next(rest) for i in range(rank)]
    order = list(range(rank))
    if name == "numpy_T":
        return order[::-1]
    a, b = (v % rank for v in (args or ((-2, -1) if name == "mT" else (0, -1))))
    order[a], order[b] = order[b], order[a]
    return order


_RESHAPES = ("flatten", "view", "reshape", "_unsafe_view", "unflatten", "unsqueeze", "squeeze", "reshape_as", "view_as")


@rules(*(f"aten.{name}" for name in _RESHAPES))
def _reshape(low, node, x: Any, *args, **kwargs):
    after, name = low.shape, str(node.target).split(".")[1]
    if isinstance(x, States):
        return x.select(0) if len(x.each) == 1 and len(after) == 2 and after[0] != 1 else _reshape(low, node, x.value())
    if isinstance(x, Weight):
        return replace(x, view=_reshaped(x, after), shape=after, array=x.array.reshape(after))
    if after == x.shape:
        return x
    if name == "unsqueeze" and (not x.shape or after[0] != x.shape[0]):
        return emitted(low, word("ops.expand_dims")(axis=args[0] % len(after)), x)
    if not after or not x.shape:
        return emitted(low, word("ops.reshape")(shape=after), x)
    low.sized = low.sized or after[0] != x.shape[0]
    return low.reshaped(x, after, BATCH, flattens=after[0] == x.shape[0] == BATCH)


def _reshaped(weight: Weight, after: tuple[int, ...]) -> Any:
    if weight.view.axes is not None:
        raise PortError("a parameter reshaped before its axes move")
    return replace(weight.view, shape=after)


@rules("aten.repeat", "aten.tile")
def _repeat(low, node, x, times, *args):
    rank = max(len(times), len(x.shape))
    shape, times = ((1,) * (rank - len(v)) + tuple(v) for v in (x.shape, times))
    if not shape:
        return x
    alike = all(n == 1 or m == 1 for n, m in zip(shape, times))
    if alike and (isinstance(x, Weight) or has_batch(times) or times[0] == 1 != shape[0]):
        return _expand(low, node, x)
    if times[0] and times[0] % BATCH == 0 and not has_batch(shape) and shape[0] > 1:
        return as_rows(low, x, (times[0] // BATCH, *times[1:]), low.shape)
    if isinstance(x, Weight):
        raise PortError("a parameter that is repeated along axes of length 1")
    after, x = low.shape, low.as_source(x.value() if isinstance(x, Pending) else x)
    if has_batch(times) and not has_batch(shape):  # along an axis of length 1, which is left undone
        times, after = (tuple(1 if n % BATCH == 0 else n for n in v) for v in (times, after))
    return low.emit(word("ops.tile")(reps=tuple(times)), x, shape=after, axes=identity_axes(len(after)))


@rule("aten.repeat_interleave.self_int")
def _repeat_interleave(low, node, x, times, axis=None, output_size=None):
    """Along an axis of length 1, as `repeat`."""
    if axis is not None and x.shape[axis] == 1:
        return _repeat(low, node, x, [times if a == axis % len(x.shape) else 1 for a in range(len(x.shape))])
    if has_batch((times,)):
        raise PortError("one row repeated for each example, got several, each of which is; x.repeat(n, 1) keeps order")
    return emitted(low, word("ops.repeat")(repeats=times, **({} if axis is None else {"axis": axis % len(x.shape)})), x)


@rules("aten.expand", "aten.broadcast_to", "aten.expand_as")
def _expand(low, node, x, *args, **kwargs):
    after = low.shape
    if isinstance(x, Weight) and len(node.users) > 1 and after == (BATCH, *x.shape[1:]) and x.view.axes is None:
        layer = word("parameter")(*after[1:])  # a token that goes its own way
        view = replace(x.view, shape=after[1:])
        return low.emit(layer, low.inputs[0], axes=identity_axes(len(after)), weights={"value": view})
    if isinstance(x, Weight):
        shape = (1,) * (len(after) - len(x.shape)) + tuple(x.shape)
        if len(after) == len(x.shape):
            return x
        return replace(x, view=_reshaped(x, shape), shape=shape, array=x.array.reshape(shape))
    if after == x.shape:
        return x
    if isinstance(x, Pending):
        return replace(x, shape=after) if isinstance(x, Allowed) else _expand(low, node, x.value())
    x = low.as_source(x)
    low.sized = True
    if has_batch(after) and not has_batch(x.shape):
        return x  # for each example, which operations that broadcast leave undone
    if has_batch(after[1:]):  # the batch is no longer first
        given = (1,) * (len(after) - x.ndim) + x.shape
        return emitted(low, word("ops.tile")(reps=tuple(1 if n == m else m for n, m in zip(given, after))), x)
    if not x.shape or len(after) != x.ndim or after[0] != x.shape[0]:
        return emitted(low, word("ops.broadcast_to")(shape=after), x)
    return low.emit(word("broadcast_to")(*wider(x.shape, after)), x, shape=after, axes=identity_axes(len(after)))


def wider(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of `broadcast_to`, without the batch's: -1 for those that stay."""
    return tuple(-1 if n == m != 1 else m for n, m in zip(before[1:], after[1:]))


@rule("aten.cat")
def _cat(low, node, parts, axis=0):
    shape = low.shape
    # Without those of no elements, which torch takes beside any shape.
    given = [(p, source) for p, source in zip(parts, node.args[0]) if tuple(p.shape) != (0,)]
    parts = [p for p, _ in given]
    values = [p for p in parts if isinstance(p, Value)]
    if not values:
        raise PortError("values to concatenate")
    if len(values) < len(parts):
        token = _cat_token(low, parts, axis % len(shape), shape)
        if token is not None:
            return token
        values = plains(low, [spread(low, *each) for each in given])
    axes = values[0].axes if all(v.ndim == len(shape) for v in values) else identity_axes(len(shape))
    moved = [low.moved(v, axes) for v in values]
    at = axes.index(axis % len(shape))
    concat = word("concat")
    return low.emit(concat if at == len(shape) - 1 else concat(axis=at), *moved, shape=shape, axes=axes)


def _cat_token(low, parts: list, axis: int, shape: tuple[int, ...]):
    """Learned tokens prepended to a sequence; None for anything else."""
    *tokens, x = parts
    if not isinstance(x, Value) or not all(isinstance(t, Weight) for t in tokens) or len(shape) != 3 or axis != 1:
        return None
    if any(len(t.shape) != 3 or t.shape[0] != 1 or t.shape[2] != shape[2] for t in tokens):
        return None
    x = low.as_source(x)
    for token in reversed(tokens):
        count = token.shape[1]
        shape = (shape[0], x.shape[1] + count, shape[2])
        layer = word("class_token")(**({} if count == 1 else {"count": count}))
        x = low.emit(layer, x, shape=shape, axes=identity_axes(3), weights={"token": token})
    return x


@rules("aten.chunk", "aten.split", "aten.split_with_sizes")
def _split(low, node, x, sizes, axis=0):
    if isinstance(x, Weight):
        return _rows(low, x, axis % len(x.shape))
    x = low.whole(x)
    axis, at = axis % x.ndim, x.axis(axis % x.ndim)
    made, start = [], 0
    for part in low.node.meta["val"]:
        n = part.shape[axis]
        stop = start + n
        text = f"{start or ''}:{stop if stop < x.shape[axis] else ''}"
        shape = tuple(n if a == axis else size for a, size in enumerate(x.shape))
        made.append(low.emit(word("at")(", ".join([":"] * at + [text])), x, shape=shape, axes=x.axes))
        start = stop
    return made


def _rows(low, x: Weight, axis: int) -> list[Weight]:
    """The parts of a parameter along its first axis, as the matrices of queries, keys and values in one."""
    if axis or x.view != View(x.view.source):
        raise PortError("parts of a parameter along the first axis, as it is stored")
    made, start = [], 0
    for i, part in enumerate(low.node.meta["val"]):
        rows = (start, start + part.shape[0])
        view, start = View(x.view.source, rows=rows), rows[1]
        made.append(Weight.of(view, x.array[slice(*rows)], x.trained))
        if not low.reads(i):
            low.leave_unread(view)
    return made


@rule("aten.stack")
def _stack(low, node, parts, axis=0):
    shape = low.shape
    values = plains(low, [spread(low, p, source) for p, source in zip(parts, node.args[0])])
    layer = word("stack_inputs")(axis=axis % len(shape))
    return low.emit(layer, *values, shape=shape, axes=identity_axes(len(shape)))


@rule("aten.unbind")
def _unbind(low, node, x, axis=0):
    x = low.whole(x)
    axis = axis % x.ndim
    at, shape = x.axis(axis), tuple(n for a, n in enumerate(x.shape) if a != axis)
    axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    index = lambda i: ", ".join([":"] * at + [str(i)])
    return [low.emit(word("at")(index(i)), x, shape=shape, axes=axes) for i in range(x.shape[axis])]


@rule("aten.flip")
def _flip(low, node, x, axes):
    x = low.whole(x)
    ours = sorted(x.axis(a) for a in axes)
    if not ours:
        return x
    return low.emit(word("ops.flip")(axis=tuple(ours) if len(ours) > 1 else ours[0]), x)


@rule("aten.roll")
def _roll(low, node, x, shifts, axes=()):
    x = low.whole(x)
    shifts, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, axes))
    if not axes and len(shifts) == 1:  # of all elements in a row
        return emitted(low, word("ops.roll")(shift=shifts[0]), x)
    if len(shifts) != len(axes):
        raise PortError("a shift for each axis")
    ours = [x.axis(a) for a in axes]
    one = len(ours) == 1
    return low.emit(
        word("ops.roll")(shift=shifts[0] if one else tuple(shifts), axis=ours[0] if one else tuple(ours)), x
    )


_FILLED = {
    "empty_like": 0, "new_empty": 0, "zeros_like": 0, "ones_like": 1, "new_zeros": 0, "new_ones": 1, "full_like": None,
    "new_full": None,
}  # fmt: skip


@rules(*(f"aten.{name}" for name in _FILLED))
def _filled(low, node, x, *args, **options):
    name = str(node.target).split(".")[1]
    value = args[-1] if _FILLED[name] is None else _FILLED[name]
    low.sized = low.sized or name.endswith("_like")  # a length that the model never names
    with exact():
        return torch.full((), value, dtype=node.meta["val"].dtype).expand(low.shape).numpy()


@rules("aten.linspace.Tensor_Tensor", "aten.linspace.Tensor_Scalar", "aten.linspace.Scalar_Tensor")
def _linspace(low, node, start, end, steps, **options):
    """Equal steps between two numbers of which one is a value, from which torch has no gradient."""
    (start, end), low.sized = plains(low, (start, end)), True
    along = np.arange(steps) / max(steps - 1, 1)
    span = emitted(low, word("subtract"), end, start, shape=())
    made = emitted(low, word("add"), emitted(low, word("multiply"), span, along), start)
    return emitted(low, word("ops.stop_gradient"), made)
