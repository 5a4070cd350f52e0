"""Shapes: what moves numbers and computes none."""

from __future__ import annotations

import itertools

from compose import ops
from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.keras.words.layouts import back, cropped, padded, to_last
from compose.export.source.text import options
from compose.export.source.words.shape import like
from compose.layers.pad import center_crop, crop, fitting, pad
from compose.layers.patches import unfold
from compose.layers.pixel import channel_shuffle, depth_to_space, pixel_shuffle, pixel_unshuffle, space_to_depth
from compose.layers.shape import broadcast_to, flatten, permute, repeat_vector, reshape, unflatten
from compose.layers.take import split
from compose.layers.window import pairs, space_axes, window


def to_shape(w, x, shape):
    """Reshaped to a shape whose first axis is the batch, or has it in it."""
    return w.call(x, f"ops.reshape({{}}, {(-1, *shape[1:])})", shape=shape)


@writes(flatten)
def flat(w, layer, p, s, x):
    shape = w.out(layer, x).shape
    if not options(layer) and x.ndim > 1:
        return w.module(x, "layers.Flatten()", shape=shape)
    return to_shape(w, x, shape)


@writes(reshape)
def reshaped(w, layer, p, s, x):
    shape = w.out(layer, x).shape
    if not layer.batch:
        return w.call(x, f"ops.reshape({{}}, {tuple(layer.shape)})", shape=shape)
    return w.module(x, f"layers.Reshape({tuple(layer.shape)})", shape=shape)


@writes(unflatten)
def unflat(w, layer, p, s, x):
    if options(layer)["axis"] % x.ndim == 0:
        raise ExportError("an axis other than the batch", f"{layer}")
    return to_shape(w, x, w.out(layer, x).shape)


@writes(permute)
def permuted(w, layer, p, s, x):
    shape = w.out(layer, x).shape
    if layer.axes[0] == 0 and x.ndim > 1:
        return w.module(x, f"layers.Permute({tuple(layer.axes[1:])})", shape=shape)
    return w.call(x, f"ops.transpose({{}}, {tuple(layer.axes)})", shape=shape)


@writes(broadcast_to)
def broadcast(w, layer, p, s, x):
    shape = w.out(layer, x).shape
    for _ in range(len(shape) - x.ndim):
        x = w.call(x, "ops.expand_dims({}, 1)", shape=(x.shape[0], 1, *x.shape[1:]))
    reps = tuple(n // m for n, m in zip(shape, x.shape))
    return w.call(x, f"ops.tile({{}}, {(1, *reps[1:])})", shape=shape)


@writes(repeat_vector)
def repeated(w, layer, p, s, x):
    shape = w.out(layer, x).shape
    if x.ndim == 2:
        return w.module(x, f"layers.RepeatVector({shape[1]})", shape=shape)
    return w.call(x, f"ops.repeat(ops.expand_dims({{}}, 1), {shape[1]}, axis=1)", shape=shape)


@writes(split)
def parts(w, layer, p, s, x):
    given = options(layer)
    n, axis = given["parts"], given.get("axis", -1)
    at = n if isinstance(n, int) else list(itertools.accumulate(n))[:-1]
    return w.results(w.call(x, f"ops.split({{}}, {at}, axis={axis})").text, like(x, w.out(layer, x)))


@writes(ops.unstack)
def unstacked(w, layer, p, s, x):
    axis = options(layer).get("axis", 0)
    if axis % x.ndim == 0:
        raise ExportError("an axis other than the batch", f"{layer}")
    return w.results(w.call(x, f"ops.unstack({{}}, axis={axis})").text, like(x, w.out(layer, x)))


@writes(pad)
def padding(w, layer, p, s, x):
    axes = space_axes(x, layer.channels_first, layer.widths)
    widths, x = pairs(layer.widths, len(axes)), to_last(w, layer, x)
    if any(n < 0 for pair in widths for n in pair):
        x = cropped(w, x, [(max(-a, 0), max(-b, 0)) for a, b in widths])
        widths = [(max(a, 0), max(b, 0)) for a, b in widths]
    if layer.mode == "constant":
        return back(w, layer, padded(w, x, widths, layer.value))
    around, shape = [(0, 0), *map(tuple, widths), (0, 0)], list(x.shape)
    for i, pair in enumerate(widths, 1):
        shape[i] += sum(pair)
    return back(w, layer, w.call(x, f'ops.pad({{}}, {around}, mode="{layer.mode}")', shape=shape))


@writes(crop)
def cut(w, layer, p, s, x):
    axes = space_axes(x, layer.channels_first, layer.widths)
    return back(w, layer, cropped(w, to_last(w, layer, x), pairs(layer.widths, len(axes))))


@writes(center_crop)
def centre(w, layer, p, s, x):
    axes, size = fitting(x, layer.size, layer.channels_first)
    ends = [((x.shape[a] - n) // 2, x.shape[a] - n - (x.shape[a] - n) // 2) for a, n in zip(axes, size)]
    return back(w, layer, cropped(w, to_last(w, layer, x), ends))


@writes(pixel_shuffle, pixel_unshuffle, depth_to_space, space_to_depth)
def moved(w, layer, p, s, x):
    up = isinstance(layer, (pixel_shuffle, depth_to_space))
    part, out = w.part("blocks_to_space" if up else "space_to_blocks"), w.out(layer, x).shape
    x = to_last(w, layer, x)
    shape = (out[0], *out[2:], out[1]) if layer.channels_first else out
    text = f"{part}({{}}, {layer.factor}, outermost={layer.outermost})"
    return back(w, layer, w.call(w.named(x), text, shape=shape))


@writes(channel_shuffle)
def shuffled(w, layer, p, s, x):
    x = to_last(w, layer, x)
    shape = (-1, *x.shape[1:-1])
    apart = w.call(x, f"ops.reshape({{}}, {(*shape, layer.groups, x.shape[-1] // layer.groups)})")
    swapped = w.call(apart, "ops.swapaxes({}, -1, -2)")
    return back(w, layer, w.call(swapped, f"ops.reshape({{}}, {(*shape, x.shape[-1])})"))


@writes(unfold)
def unfolded(w, layer, p, s, x):
    over = window(x, layer.size, layer.stride, layer.padding, layer.dilation, layer.channels_first)
    x = padded(w, to_last(w, layer, x), over.padding)
    text = f"{w.part('windows')}({{}}, {over.size}, {over.stride}, {over.dilation})"
    y = w.call(w.named(x), text)
    count = 1
    for n in over.size:
        count *= n
    shape = (x.shape[0], *over.places, x.shape[-1] * count)
    return back(w, layer, to_shape(w, y, shape))
