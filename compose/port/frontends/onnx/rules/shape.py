"""Reshaping, permuting, joining, splitting, padding."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.each_example import batch_input
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.rules.index import part_of
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.ir.weights import View
from compose.port.lowering.each_example import for_each, has_batch, rows_for_each
from compose.port.lowering.layout import reshape_in_place
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes
from compose.port.lowering.windows import padded_axes


@rule("onnx.Transpose")
@of_weights
def _transpose(low, node, x):
    rank = len(x.shape)
    order = list(node.get("perm", range(rank)[::-1]))
    if isinstance(x, Weight):
        plain = x.view == View(x.view.source, rows=x.view.rows) and rank == 2
        made = replace(x.view, axes=(1, 0), note="OI→IO")
        return Weight.of(made, x.array.transpose(order)) if plain else None
    x = low.whole(x)
    return x.but(shape=low.shape, axes=tuple(order.index(a) for a in x.axes))


@rules("onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze")
@of_weights
def _reshape(low, node, x: Any, *rest):
    after = low.shape
    if isinstance(x, Weight):
        plain = x.view == View(x.view.source, rows=x.view.rows)
        made = replace(x.view, shape=after)
        return Weight.of(made, x.array.reshape(after)) if plain else None
    return reshaped(low, x, after)


def reshaped(low, x: Any, after: tuple[int, ...]) -> Value:
    """The value with the source's shape `after`; consecutive reshapes are merged."""
    if isinstance(x, Pending):
        final: Any = x
        return final.reshaped(after)
    if after == x.shape:
        return x
    if math.prod(after) != math.prod(x.shape):
        raise PortError(f"a shape of as many numbers as {x.shape}, got {after}")
    if not x.shape or not after:  # one number
        x = low.as_source(x)
        return low.emit(word("reshape")(*after, batch=False), x, shape=after, axes=identity_axes(len(after)))
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
        each = has_batch(after) or (after[0] == low.batch and x.shape in (after[1:], (1, *after[1:])))
        if not each:
            low.check_batch(shape)
        return Weight.of(x.view, x.array) if each else None  # it broadcasts where it is used
    if after == x.shape:
        return x
    x = low.as_source(x)
    if has_batch(after) and not has_batch(x.shape):
        return for_each(low, x, after, batch_input(low))
    if len(after) != x.ndim or after[0] != x.shape[0]:
        low.check_batch(shape)
        return low.emit(word("ops.broadcast_to")(shape=after), x, shape=after, axes=identity_axes(len(after)))
    return low.emit(word("broadcast_to")(*after[1:]), x, shape=after, axes=identity_axes(len(after)))


@rule("onnx.Tile")
@of_weights
def _tile(low, node, x, times):
    after, alike = low.shape, all(n in (1, m) for n, m in zip(x.shape, low.shape))
    if has_batch(after) and not has_batch(x.shape):
        if alike:
            return Weight.of(x.view, x.array) if isinstance(x, Weight) else for_each(low, x, after, batch_input(low))
        reps = tuple(m // n for n, m in zip(x.shape, after))
        return rows_for_each(low, x, (reps[0] // BATCH, *reps[1:]), after, batch_input(low))
    low.check_batch(times)
    if isinstance(x, Weight):
        return None
    x = low.whole(x)
    if after[0] == x.shape[0] and x.axes[0] == 0 and alike:
        return low.emit(word("broadcast_to")(*(after[a] for a in x.axes[1:])), x)
    return low.emit(word("ops.tile")(reps=tuple(after[a] // x.shape[a] for a in x.axes)), x)


@rule("onnx.Concat")
def _concat(low, node, *parts):
    shape = low.shape
    axis = node.get("axis") % len(shape)
    if len(parts) == 2 and axis == 1 and len(shape) == 3 and _is_token(low, *parts):
        return _with_token(low, parts, shape)
    values = [low.as_value(p) for p in parts]
    axes = values[0].axes
    moved = [low.moved(v, axes) for v in values]
    at = axes.index(axis)
    concat = word("concat")
    return low.emit(concat if at == len(shape) - 1 else concat(axis=at), *moved, shape=shape, axes=axes)


def _is_token(low, token, x) -> bool:
    """Whether a part is a weight that the file repeats for each example of the other, along no other axis."""
    whole = low.repeated_to(token) if isinstance(token, Weight) and not isinstance(x, Weight) else None
    return whole is not None and token.array.size == math.prod(whole[1:])


def _with_token(low, parts: tuple, shape: tuple[int, ...]) -> Value:
    """A learned token prepended to a sequence."""
    x = low.as_source(low.value(parts[1]))
    token = parts[0]
    count = token.array.size // shape[2]
    view = token.view if token.shape == (1, count, shape[2]) else replace(token.view, shape=(1, count, shape[2]))
    return low.emit(word("class_token")(count), x, shape=shape, axes=identity_axes(3), weights={"token": view})


@rule("onnx.Split")
@of_weights
def _split(low, node, x, sizes=None):
    axis = node.get("axis", 0) % len(x.shape)
    lengths = [low.graph.shapes[name][axis] for name in node.outputs]
    ends = np.cumsum(lengths)
    made = [part_of(low, x, axis, slice(int(e - n), int(e))) for n, e in zip(lengths, ends)]
    return None if any(m is None for m in made) else tuple(made)


@rule("onnx.Pad")
def _pad(low, node, x, pads, value=None, axes=None):
    mode, fill = node.get("mode", "constant"), None if value is None else low.known(value)
    x, given = low.whole(x), low.known(pads)
    dims = list(range(x.ndim)) if axes is None else [int(a) % x.ndim for a in low.known(axes)]
    widths = {a: (int(given[i]), int(given[i + len(dims)])) for i, a in enumerate(dims)}
    number = 0.0 if fill is None or not fill.size else float(fill.ravel()[0])
    if min(map(min, widths.values()), default=0) < 0:
        for axis, (before, after) in widths.items():
            if min(before, after) < 0:
                x = part_of(low, x, axis, slice(max(-before, 0), x.shape[axis] - max(-after, 0)))
        widths = {a: (max(before, 0), max(after, 0)) for a, (before, after) in widths.items()}
    options: dict[str, Any] = {} if mode == "constant" else {"mode": mode}
    inner = any(not any(widths.get(a, ())) for a in range(1, x.ndim)) and not any(widths.get(0, ()))
    if inner and mode in ("constant", "reflect", "edge"):
        x, around = padded_axes(low, x, widths)
        options |= {"value": number} if number else {}
        return low.emit(word("pad")(around, **options), x) if around else x
    x = low.whole(x)
    options |= {"constant_values": number} if number else {}
    pairs = tuple(widths.get(a, (0, 0)) for a in x.axes)
    return low.emit(word("ops.pad")(pad_width=pairs, **options), x)
