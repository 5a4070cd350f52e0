"""Shape operations: most only rename axes, which costs nothing here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.mask import Allowed
from compose.port.frontends.torch.rules.recurrent import States
from compose.port.ir.weights import Take
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes

_TURNS = ("permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "movedim", "moveaxis")


@rules(*(f"aten.{name}" for name in _TURNS))
def _permute(low, node, x, *args):
    order = _order(str(node.target).split(".")[1], len(x.shape), *args)
    if isinstance(x, Weight):
        return x.turned(tuple(order))
    x = low.whole(x)
    return x.but(shape=low.shape, axes=tuple(order.index(a) for a in x.axes))


def _order(name: str, rank: int, *args: Any) -> list[int]:
    """The source's axes in their new order."""
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
    after = low.shape
    if isinstance(x, States):
        return x.select(0) if len(x.each) == 1 and len(after) == 2 and after[0] != 1 else _reshape(low, node, x.value())
    if isinstance(x, Weight):
        return Weight.of(_reshaped(x, after), x.array.reshape(after), x.trained)
    if after == x.shape:
        return x
    return low.reshaped(x, after, BATCH, flattens=after[0] == x.shape[0] == BATCH)


def _reshaped(weight: Weight, after: tuple[int, ...]) -> Any:
    if weight.take.axes is not None:
        raise PortError("a parameter reshaped before its axes move")
    return replace(weight.take, shape=after)


@rules("aten.expand", "aten.broadcast_to", "aten.expand_as", "aten.repeat")
def _expand(low, node, x, *args, **kwargs):
    after = low.shape
    if isinstance(x, Weight) and len(node.users) > 1 and after == (BATCH, *x.shape[1:]) and x.take.axes is None:
        layer = word("parameter")(*after[1:])  # a token that goes its own way
        take = replace(x.take, shape=after[1:])
        return low.emit(layer, low.inputs[0], axes=identity_axes(len(after)), weights={"value": take})
    if isinstance(x, Weight):
        shape = (1,) * (len(after) - len(x.shape)) + tuple(x.shape)
        return x if len(after) == len(x.shape) else Weight.of(_reshaped(x, shape), x.array.reshape(shape), x.trained)
    if after == x.shape:
        return x
    if isinstance(x, Pending):
        return replace(x, shape=after) if isinstance(x, Allowed) else _expand(low, node, x.value())
    x = low.as_source(x)
    return low.emit(word("broadcast_to")(*after[1:]), x, shape=after, axes=identity_axes(len(after)))


@rule("aten.cat")
def _cat(low, node, parts, axis=0):
    values = [p for p in parts if isinstance(p, Value)]
    shape = low.shape
    if not values:
        raise PortError("values to concatenate")
    axes = values[0].axes if all(v.ndim == len(shape) for v in values) else identity_axes(len(shape))
    if any(isinstance(p, Weight) for p in parts):
        return _cat_token(low, parts, axis % len(shape), shape)
    moved = [low.moved(v, axes) for v in values]
    at = axes.index(axis % len(shape))
    concat = word("concat")
    return low.emit(concat if at == len(shape) - 1 else concat(axis=at), *moved, shape=shape, axes=axes)


def _cat_token(low, parts: list, axis: int, shape: tuple[int, ...]):
    """Learned tokens put before a sequence."""
    *tokens, x = parts
    if not isinstance(x, Value) or not all(isinstance(t, Weight) for t in tokens) or len(shape) != 3 or axis != 1:
        raise PortError("learned tokens before a sequence, or values only, to concatenate")
    x = low.as_source(x)
    for token in reversed(tokens):
        count = token.shape[1]
        shape = (shape[0], x.shape[1] + count, shape[2])
        layer = word("class_token")(**({} if count == 1 else {"count": count}))
        x = low.emit(layer, x, shape=shape, axes=identity_axes(3), weights={"token": token})
    return x


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
    if name == "select":
        text = str(where[0])
        axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    else:
        start, stop, step = (*where, None, None, None)[:3]
        start, stop = start or 0, None if stop is None or stop >= x.shape[axis] else stop
        if (start, stop, step or 1) == (0, None, 1):
            return x
        text = f"{start or ''}:{'' if stop is None else stop}" + (f":{step}" if (step or 1) != 1 else "")
        axes = x.axes
    return low.emit(word("at")(", ".join([":"] * at + [text])), x, axes=axes)


def _rows(low, x: Weight, name: str, axis: int, *where: Any) -> Weight:
    """A part of a parameter: rows of the array that is stored, the others being left unread."""
    start, stop, step = (*where, None, None, None)[:3] if name == "slice" else (where[0], where[0] + 1, None)
    start, n = start or 0, x.shape[axis]
    stop = n if stop is None else min(stop, n)
    if (start, stop, step or 1) == (0, n, 1) and name == "slice":
        return x
    plain = x.take == Take(x.take.source) and axis == 0 and (step or 1) == 1 and 0 <= start < stop <= n
    if not plain:
        raise PortError("all of a parameter, or rows of its first axis, one after the other")
    low.read_rows(x, start, stop)
    shape = (stop - start, *x.shape[1:]) if name == "slice" else tuple(x.shape[1:])
    take = Take(x.take.source, rows=(start, stop), shape=None if name == "slice" else shape)
    return Weight.of(take, x.array[start:stop].reshape(shape), x.trained)


@rules("aten.chunk", "aten.split", "aten.split_with_sizes")
def _split(low, node, x, sizes, axis=0):
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
