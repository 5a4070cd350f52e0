"""Shape operations: most only rename axes, which costs nothing here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.ir.weights import Take
from compose.port.lowering.layout import reshape_in_place
from compose.port.lowering.values import Pending, Value, Weight, identity_axes


@rule("onnx.Transpose")
@of_weights
def _transpose(low, node, x):
    rank = len(x.shape)
    order = list(node.get("perm", range(rank)[::-1]))
    if isinstance(x, Weight):
        plain = x.take == Take(x.take.source, rows=x.take.rows) and rank == 2
        made = replace(x.take, axes=(1, 0), note="OI→IO")
        return Weight.of(made, x.array.transpose(order)) if plain else None
    x = low.whole(x)
    return x.but(shape=low.shape, axes=tuple(order.index(a) for a in x.axes))


@rules("onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze")
@of_weights
def _reshape(low, node, x: Any, *rest):
    after = low.shape
    if isinstance(x, Weight):
        plain = x.take == Take(x.take.source, rows=x.take.rows)
        made = replace(x.take, shape=after)
        return Weight.of(made, x.array.reshape(after)) if plain else None
    return reshaped(low, x, after)


def reshaped(low, x: Any, after: tuple[int, ...]) -> Value:
    """The value with the source's shape `after`; two reshapes one after the other are one."""
    if isinstance(x, Pending):
        final: Any = x
        return final.reshaped(after)
    if after == x.shape:
        return x
    if math.prod(after) != math.prod(x.shape):
        raise PortError(f"a shape of as many numbers as {x.shape}, got {after}")
    first = low.before_reshape(x)
    if first is not None:
        direct = reshape_in_place(first.shape, after, first.axes)
        x = first if direct is not None else x
        if after == x.shape:
            return x
    made = low.reshaped(x, after, low.batch, flattens=after[0] == x.shape[0])
    if made.index != x.index and made.unflat is None:
        low.record_reshape(made, x)
    return made


@rule("onnx.Expand")
@of_weights
def _expand(low, node, x, shape):
    after = low.shape
    if isinstance(x, Weight):
        each = after[0] == low.batch and x.shape in (after[1:], (1, *after[1:]))
        if not each:
            low.check_batch(shape)
        return Weight.of(x.take, x.array) if each else None  # it broadcasts where it is used
    if after == x.shape:
        return x
    if len(after) != x.ndim or after[0] != x.shape[0]:
        raise PortError(f"an expansion that leaves the first axis alone, got {x.shape} to {after}")
    x = low.as_source(x)
    return low.emit(word("broadcast_to")(*after[1:]), x, shape=after, axes=identity_axes(len(after)))


@rule("onnx.Tile")
def _tile(low, node, x, times):
    x, after = low.whole(x), low.shape
    if after[0] != x.shape[0]:
        raise PortError(f"a tiling that leaves the first axis alone, got {x.shape} to {after}")
    if all(n in (1, m) for n, m in zip(x.shape, after)):
        return low.emit(word("broadcast_to")(*(after[a] for a in x.axes[1:])), x) if x.axes[0] == 0 else _refused(x)
    return low.emit(word("tile")(tuple(after[a] // x.shape[a] for a in x.axes)), x)


def _refused(x):
    raise PortError(f"a tiling of values whose batch comes first, got {x.shape}")


@rule("onnx.GatherElements")
def _gather_each(low, node, x, places):
    x, places = low.whole(low.value(x)), low.value(places)
    return low.emit(word("gather")(axis=x.axis(node.get("axis", 0))), x, low.moved(places, x.axes), axes=x.axes)


@rule("onnx.Concat")
def _concat(low, node, *parts):
    shape = low.shape
    axis = node.get("axis") % len(shape)
    if any(isinstance(p, Weight) for p in parts):
        return _with_token(low, parts, axis, shape)
    values = [low.value(p) for p in parts]
    axes = values[0].axes
    moved = [low.moved(v, axes) for v in values]
    at = axes.index(axis)
    concat = word("concat")
    return low.emit(concat if at == len(shape) - 1 else concat(axis=at), *moved, shape=shape, axes=axes)


def _with_token(low, parts: tuple, axis: int, shape: tuple[int, ...]) -> Value:
    """A learned token put before a sequence."""
    if len(parts) != 2 or not isinstance(parts[0], Weight) or len(shape) != 3 or axis != 1:
        raise PortError("a learned token before a sequence, or values only, to concatenate")
    x = low.as_source(low.value(parts[1]))
    token = parts[0]
    count = token.array.size // shape[2]
    take = token.take if token.shape == (1, count, shape[2]) else replace(token.take, shape=(1, count, shape[2]))
    return low.emit(word("class_token")(count), x, shape=shape, axes=identity_axes(3), weights={"token": take})


def gathered(low, x: Any, ids: Any, axis: int) -> Any:
    """Constant places along an axis: one of them, or a run."""
    places = low.known(ids)
    if isinstance(x, Pending):
        final: Any = x
        part = final.part(axis, int(places) % final.shape[axis]) if places.ndim == 0 else None
        if part is not None:
            return part
        x = final.value()
    axis = axis % len(x.shape)
    if places.ndim == 0:
        return _part(low, x, axis, int(places) % x.shape[axis] if int(places) != -1 else -1)
    flat = [int(i) % x.shape[axis] for i in places.ravel()]
    if places.ndim != 1 or flat != list(range(flat[0], flat[0] + len(flat))):
        raise PortError(f"places in a row, got {flat[:8]}")
    return _part(low, x, axis, slice(flat[0], flat[-1] + 1))


def _part(low, x: Any, axis: int, where: int | slice, step: int = 1) -> Any:
    """`x` at one place of an axis, or from one to another."""
    if isinstance(x, Weight):
        if not (isinstance(where, slice) and axis == 0 and step == 1 and x.take == Take(x.take.source)):
            return None
        rows = range(x.shape[0])[where]
        array = x.array[where]
        return Weight.of(Take(x.take.source, rows=(rows.start, rows.stop)), array)
    x = low.whole(low.value(x))
    at = x.axis(axis)
    if isinstance(where, slice):
        start, stop = where.start, where.stop
        if (start, stop, step) == (0, x.shape[axis], 1):
            return x
        text = f"{start or ''}:{'' if stop >= x.shape[axis] else stop}" + (f":{step}" if step != 1 else "")
        shape, axes = tuple(len(range(start, stop, step)) if a == axis else n for a, n in enumerate(x.shape)), x.axes
    else:
        text = str(where)
        shape = tuple(n for a, n in enumerate(x.shape) if a != axis)
        axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    return low.emit(word("at")(", ".join([":"] * at + [text])), x, shape=shape, axes=axes)


@rule("onnx.Slice")
@of_weights
def _slice(low, node, x, starts, stops, axes=None, steps=None):
    start, stop = low.known(starts, any_batch=True), low.known(stops, any_batch=True)
    along = np.arange(len(start)) if axes is None else low.known(axes)
    step = np.ones(len(start), int) if steps is None else low.known(steps)
    for a, b, axis, s in zip(map(int, start), map(int, stop), map(int, along), map(int, step)):
        axis = axis % len(x.shape)
        if range(x.shape[axis])[a:b:s] == range(x.shape[axis]):
            continue
        low.check_batch(starts, stops)
        if s < 0:
            if s != -1 or len(range(x.shape[axis])[a:b:s]) != x.shape[axis] or isinstance(x, Weight):
                raise PortError(f"a slice with a step above 0, or a whole axis backwards, got step {s}")
            x = low.whole(x)
            x = low.emit(word("flip")(axis=x.axis(axis)), x, shape=x.shape)
            continue
        places = range(x.shape[axis])[a:b:s]
        x = _part(low, x, axis, slice(places.start, places.stop), s)
        if x is None:
            return None
    return x


@rule("onnx.Split")
@of_weights
def _split(low, node, x, sizes=None):
    axis = node.get("axis", 0) % len(x.shape)
    lengths = [low.graph.shapes[name][axis] for name in node.outputs]
    ends = np.cumsum(lengths)
    made = [_part(low, x, axis, slice(int(e - n), int(e))) for n, e in zip(lengths, ends)]
    return None if any(m is None for m in made) else tuple(made)


@rule("onnx.Einsum")
def _einsum(low, node, *xs):
    equation = node.get("equation").replace(" ", "")
    if len(xs) != 2 or not isinstance(xs[0], Value) or not isinstance(xs[1], Weight) or "->" not in equation:
        raise PortError(f"an einsum of a value and a weight with its result written, got {equation}")
    left, kernel = equation.split("->")[0].split(",")
    x, weight = low.as_source(xs[0]), low.weight(xs[1])
    sizes = tuple(n for c, n in zip(kernel, weight.shape) if c not in left)
    layer = word("einsum")(equation, **({"sizes": sizes} if sizes else {}))
    return low.emit(layer, x, axes=identity_axes(len(low.shape)), weights={"kernel": weight})
