"""Reshaping, permuting, joining, splitting, padding."""

from __future__ import annotations

import math

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.as_value import as_value
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.conv import layout, one
from compose.port.lowering.repeated import aligned
from compose.port.lowering.values import BATCH


@rule("keras.layers.Concatenate")
def _concatenate_layer(walk, layer, xs):
    rank = len(layer._build_shapes_dict["input_shape"][0])
    last = layer.axis in (-1, rank - 1)
    return walk.emit(word("concat") if last else word("concat")(axis=layer.axis), *(as_value(walk, x) for x in xs))


@rule("keras.layers.Flatten")
def _flatten(walk, layer, x):
    if walk.rank == 1:
        return walk.emit(word("ops.expand_dims")(axis=-1), x)
    if layer.data_format == "channels_first" and walk.rank > 2:
        x = walk.emit(word("permute")(0, *range(2, walk.rank), 1), x)
    return walk.emit(word("flatten"), x)


@rule("keras.layers.Reshape")
def _reshape_layer(walk, layer, x):
    shape = layer.target_shape
    pooled = type(walk.node.input_tensors[0]._keras_history.operation).__name__
    pool = walk.producer(x)
    keeps = pooled == f"GlobalAveragePooling{len(shape) - 1}D" and set(shape[:-1]) == {1}
    if keeps and pool is not None and pool is walk.ops[-1] and pool.layer == word("global_avg_pool"):
        return walk.emit(word("global_avg_pool")(keepdims=True), x.but(index=pool.inputs[0]))
    return walk.emit(word("reshape")(*shape), x)


@rule("keras.layers.Permute")
def _permute(walk, layer, x):
    return walk.emit(word("permute")(0, *layer.dims), x)


@rule("keras.layers.RepeatVector")
def _repeat_vector(walk, layer, x):
    return walk.emit(word("repeat_vector")(times=layer.n), x)


@rules("keras.ops.ZerosLike", "keras.ops.OnesLike", "keras.ops.FullLike")
def _alike(walk, op, x, fill_value=None):
    if type(op).__name__ != "FullLike":
        return walk.emit(word("ops.zeros_like" if type(op).__name__ == "ZerosLike" else "ops.ones_like"), x)
    return walk.emit(word("ops.full_like")(fill_value=np.asarray(fill_value).item()), x)


@rule("keras.ops.BroadcastTo")
def _broadcast_to(walk, op, x):
    given, after = walk.given.shape, tuple(op.shape)
    own = aligned(x, after)
    if own[0] == 1 and after[0] in (None, BATCH):
        y = walk.for_each(x, own[1:], shape=(after[0], *own[1:]))
        return y if own[1:] == after[1:] else walk.emit(word("broadcast_to")(*after[1:]), y)
    if len(given) != len(after) or after[0] not in (None, BATCH, given[0]):
        raise PortError(
            "a value broadcast along its own axes, or one without the batch that has a first axis of length 1; "
            "x[None] adds one"
        )
    return walk.emit(word("broadcast_to")(*after[1:]), x)


@rule("keras.ops.Tile")
def _tile(walk, op, x):
    times = (op.repeats,) if isinstance(op.repeats, int) else tuple(op.repeats)
    times = (1,) * (walk.rank - len(times)) + times
    own = aligned(x, times)
    if own[0] == 1 and times[0] == BATCH:
        y = walk.for_each(x, own[1:], shape=(BATCH, *own[1:]))
        return y if set(times[1:]) <= {1} else walk.emit(word("ops.tile")(reps=times[1:]), y)
    if any(n != 1 for n in times[: len(times) - walk.rank + 1]):
        raise PortError(
            "copies along the axes after the batch, or one for each example of what has length 1 in front, as x[None] "
            "has; got copies along the first axis of others"
        )
    return walk.emit(word("ops.tile")(reps=times[-(walk.rank - 1) :]), x)


@rule("keras.ops.Repeat")
def _repeat(walk, op, x):
    axis = None if op.axis is None else op.axis % walk.rank
    if axis == 0 and op.repeats == BATCH and x.shape[0] == 1:
        return walk.for_each(x, tuple(x.shape[1:]))
    if not axis or not isinstance(op.repeats, int):
        raise PortError("each value repeated along an axis after the batch")
    sizes = walk.node.output_tensors[0].shape
    times = tuple(op.repeats if i == axis + 1 else 1 for i in range(1, walk.rank + 1))
    y = walk.emit(word("ops.tile")(reps=times), walk.emit(word("ops.expand_dims")(axis=axis + 1), x))
    if None in sizes[1:]:
        raise PortError("values of known sizes to repeat")
    return walk.emit(word("reshape")(*sizes[1:]), y)


@rule("keras.ops.Moveaxis")
def _moveaxis(walk, op, x):
    rest = [i for i in range(walk.rank) if i not in [a % walk.rank for a in op.source]]
    for source, place in sorted(zip(op.source, op.destination), key=lambda pair: pair[1] % walk.rank):
        rest.insert(place % walk.rank, source % walk.rank)
    return walk.emit(word("permute")(*rest), x)


@rule("keras.ops.Unstack")
def _unstack(walk, op, x):
    lead = ":, " * (op.axis % walk.rank)
    return [walk.emit(word("at")(f"{lead}{i}"), x) for i in range(len(walk.node.output_tensors))]


@rules("keras.ops.Hstack", "keras.ops.Vstack")
def _stacked(walk, op, xs):
    if type(op).__name__ == "Vstack" or walk.rank < 2:
        raise PortError("values joined along an axis after the batch")
    made = word("concat") if walk.rank == 2 else word("concat")(axis=1)
    return walk.emit(made, *(as_value(walk, x) for x in xs))


@rules(*(f"keras.layers.Cropping{n}D" for n in (1, 2, 3)))
def _crop(walk, layer, x):
    widths = layer.cropping if isinstance(layer.cropping[0], (tuple, list)) else (layer.cropping,)
    return walk.emit(word("crop")(tuple(tuple(w) for w in widths), **layout(layer)), x)


@rule("keras.layers.CenterCrop")
def _center_crop(walk, layer, x):
    return walk.emit(word("center_crop")(one((layer.height, layer.width)), **layout(layer)), x)


@rules(*(f"keras.layers.ZeroPadding{n}D" for n in (1, 2, 3)))
def _zero_padding(walk, layer, x):
    padding = layer.padding if isinstance(layer.padding[0], (tuple, list)) else (layer.padding,)
    return walk.emit(word("pad")(tuple(tuple(p) for p in padding), **layout(layer)), x)


@rule("keras.ops.Concatenate")
def _concatenate(walk, op, xs):
    token = walk.weight(xs[0])
    if token is not None and len(xs) == 2 and op.axis == 1 and token.own[:1] == (1,) and len(token.own) == 3:
        made = word("class_token")(token.own[1]) if token.own[1] > 1 else word("class_token")
        return walk.emit(made, xs[1], weights={"token": token.view})
    last = op.axis in (-1, walk.rank - 1)
    return walk.emit(word("concat") if last else word("concat")(axis=op.axis), *(as_value(walk, x) for x in xs))


@rule("keras.ops.Stack")
def _stack(walk, op, xs):
    return walk.emit(word("stack_inputs")(axis=op.axis), *(as_value(walk, x) for x in xs))


@rule("keras.ops.Split")
def _split(walk, op, x):
    parts = op.indices_or_sections
    if not isinstance(parts, int):
        length = walk.given.shape[op.axis]
        ends = (*parts, length)
        parts = tuple(end - start for start, end in zip((0, *parts), ends))
    made = walk.emit(word("split")(parts=parts, axis=op.axis), x)
    return [walk.emit(word("at")(str(i)), made) for i in range(len(walk.node.output_tensors))]


@rule("keras.ops.Reshape")
def _reshape(walk, op, x):
    given, made = (t.shape for t in (walk.node.input_tensors[0], walk.node.output_tensors[0]))
    apart = (
        len(made) > 0 and None not in given[1:] and None not in made[1:] and math.prod(given[1:]) == math.prod(made[1:])
    )
    if apart and op.newshape[0] in (-1, None, BATCH):
        return walk.emit(word("flatten") if len(made) == 2 < len(given) else word("reshape")(*made[1:]), x)
    sizes = [-1 if n is None or (n and n % BATCH == 0) else n for n in op.newshape]
    if sizes.count(-1) > 1 or None in op.newshape:
        raise PortError("a new shape whose sizes are known, one of them at most -1")
    return walk.emit(word("reshape")(*sizes, batch=False), x)


@rule("keras.ops.Transpose")
def _transpose(walk, op, x):
    return walk.emit(word("permute")(*(op.axes or reversed(range(walk.rank)))), x)


@rule("keras.ops.Swapaxes")
def _swapaxes(walk, op, x):
    order = list(range(walk.rank))
    order[op.axis1], order[op.axis2] = order[op.axis2], order[op.axis1]
    return walk.emit(word("permute")(*order), x)


@rules("keras.ops.ExpandDims", "keras.ops.Squeeze")
def _axes(walk, op, x):
    axis = tuple(op.axis) if isinstance(op.axis, (list, tuple)) else op.axis
    if axis is None:
        raise PortError("squeeze with an axis")
    return walk.emit(word("ops.expand_dims" if type(op).__name__ == "ExpandDims" else "ops.squeeze")(axis=axis), x)


@rules("keras.ops.Flip", "keras.ops.Cumsum")
def _along(walk, op, x):
    if op.axis is None:
        raise PortError(f"{type(op).__name__.lower()} with an axis")
    return walk.emit(word(f"ops.{type(op).__name__.lower()}")(axis=op.axis), x)


@rule("keras.ops.Roll")
def _roll(walk, op, x):
    if op.axis is None:
        raise PortError("roll with an axis")
    return walk.emit(word("ops.roll")(shift=op.shift, axis=op.axis), x)


@rule("keras.ops.Pad")
def _pad(walk, op, x, constant_values=None):
    first, *middle, last = (tuple(w) for w in op.pad_width)
    if op.mode != "constant" or constant_values not in (None, 0) or first != (0, 0) or last != (0, 0):
        raise PortError("zeros around all axes but the first and the last")
    return walk.emit(word("pad")(tuple(middle)), x)
