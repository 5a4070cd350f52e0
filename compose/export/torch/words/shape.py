"""Shapes: what moves numbers and computes none."""

from __future__ import annotations

from compose import ops
from compose.export.errors import ExportError
from compose.export.source.registry import follows
from compose.export.source.text import options
from compose.export.source.words.shape import like
from compose.export.torch.registry import writes
from compose.export.torch.words.conv import first
from compose.layers.pad import center_crop, crop, fitting, pad
from compose.layers.patches import fold, unfold
from compose.layers.pixel import channel_shuffle, depth_to_space, pixel_shuffle, pixel_unshuffle, space_to_depth
from compose.layers.shape import broadcast_to, flatten, permute, repeat_vector, reshape, unflatten
from compose.layers.take import split
from compose.layers.window import channel_axis, pairs, sizes, space_axes, window


@writes(flatten)
def flat(w, layer, p, s, x):
    given = options(layer)
    start, end = given.get("start", 1), given.get("end", -1)
    text = f"{start}" + (f", {end}" if end != -1 else "")
    module = f"nn.Flatten({'' if text == '1' else text})"
    return w.call(x, f"{{}}.flatten({text})", module, shape=w.out(layer, x).shape)


@writes(reshape)
def reshaped(w, layer, p, s, x):
    shape = ", ".join(map(str, layer.shape))
    if not layer.batch:
        return w.call(x, f"{{}}.reshape({shape})", shape=w.out(layer, x).shape)
    module = None if -1 in layer.shape and x.ndim != 2 else f"nn.Unflatten(1, {layer.shape})" if x.ndim == 2 else None
    text = f"{{}}.reshape({{}}.shape[0], {shape})" if -1 in layer.shape else f"{{}}.reshape(-1, {shape})"
    return w.call(x, text, module, shape=w.out(layer, x).shape)


@writes(unflatten)
def unflat(w, layer, p, s, x):
    given = options(layer)
    text = f"{given['axis']}, {tuple(given['shape'])}"
    return w.call(x, f"{{}}.unflatten({text})", f"nn.Unflatten({text})", shape=w.out(layer, x).shape)


@writes(permute)
def permuted(w, layer, p, s, x):
    return w.call(x, f"{{}}.permute({', '.join(map(str, layer.axes))})", shape=w.out(layer, x).shape)


@writes(broadcast_to)
def broadcast(w, layer, p, s, x):
    return w.call(x, f"{{}}.expand(-1, {', '.join(map(str, layer.shape))})", shape=w.out(layer, x).shape)


@writes(repeat_vector)
def repeated(w, layer, p, s, x):
    out = w.out(layer, x)
    return w.call(x, f"{{}}.unsqueeze(1).expand(-1, {out.shape[1]}{', -1' * (x.ndim - 1)})", shape=out.shape)


@writes(split)
def parts(w, layer, p, s, x):
    given = options(layer)
    n, axis = given["parts"], given.get("axis", -1)
    text = f"{{}}.chunk({n}, {axis})" if isinstance(n, int) else f"{{}}.split({tuple(n)}, {axis})"
    return w.results(w.call(x, text).text, like(x, w.out(layer, x)))


@writes(ops.unstack)
def unstacked(w, layer, p, s, x):
    return w.results(w.call(x, f"{{}}.unbind({options(layer).get('axis', 0)})").text, like(x, w.out(layer, x)))


@writes(pad)
@follows
def padding(w, layer, p, s, x):
    seen = first(w, layer, x)
    axes = space_axes(x, layer.channels_first, layer.widths)
    widths = pairs(layer.widths, len(axes))
    flat_ = tuple(n for pair in reversed(widths) for n in pair)
    shape, rank = w.out(layer, x).shape, len(axes)
    if layer.mode == "constant":
        value = f", {layer.value!r}"
        if layer.value == 0:
            return w.call(seen, f"F.pad({{}}, {flat_})", f"nn.ZeroPad{rank}d({flat_})", shape=shape)
        return w.call(
            seen,
            f"F.pad({{}}, {flat_}, value{value.replace(', ', '=')})",
            f"nn.ConstantPad{rank}d({flat_}{value})",
            shape=shape,
        )
    if layer.mode == "symmetric":
        return w.call(seen, f"{w.part('symmetric_pad')}({{}}, {tuple(widths)})", shape=shape)
    mode, kind = {
        "reflect": ("reflect", "Reflection"),
        "edge": ("replicate", "Replication"),
        "wrap": ("circular", "Circular"),
    }[layer.mode]
    return w.call(seen, f'F.pad({{}}, {flat_}, mode="{mode}")', f"nn.{kind}Pad{rank}d({flat_})", shape=shape)


def sliced(w, layer, x, axes, starts, lengths):
    cut = {a: f"{i}:{i + n}" for a, i, n in zip(axes, starts, lengths)}
    places = [""] * x.ndim
    for axis in range(x.ndim):
        places[x.axis(axis)] = cut.get(axis, ":")
    return w.call(x, f"{{}}[{', '.join(places)}]", shape=w.out(layer, x).shape)


@writes(crop)
@follows
def cropped(w, layer, p, s, x):
    axes = space_axes(x, layer.channels_first, layer.widths)
    x = w.last(x) if layer.channels_first else x
    off = pairs(layer.widths, len(axes))
    return sliced(w, layer, x, axes, [a for a, _ in off], [x.shape[i] - a - b for i, (a, b) in zip(axes, off)])


@writes(center_crop)
@follows
def centre(w, layer, p, s, x):
    x = w.last(x) if layer.channels_first else x
    axes, size = fitting(x, layer.size, layer.channels_first)
    return sliced(w, layer, x, axes, [(x.shape[i] - n) // 2 for i, n in zip(axes, size)], size)


@writes(pixel_shuffle, pixel_unshuffle, depth_to_space, space_to_depth)
@follows
def moved(w, layer, p, s, x):
    seen, shape = first(w, layer, x), w.out(layer, x).shape
    up = isinstance(layer, (pixel_shuffle, depth_to_space))
    if isinstance(layer, (pixel_shuffle, pixel_unshuffle)) and x.ndim == 4:
        name = "PixelShuffle" if up else "PixelUnshuffle"
        return w.module(seen, f"nn.{name}({layer.factor})", shape=shape)
    part = w.part("blocks_to_space" if up else "space_to_blocks")
    return w.call(seen, f"{part}({{}}, {layer.factor}, outermost={layer.outermost})", shape=shape)


@writes(channel_shuffle)
@follows
def shuffled(w, layer, p, s, x):
    seen = first(w, layer, x) if x.ndim > 2 else x
    return w.module(seen, f"nn.ChannelShuffle({layer.groups})")


@writes(unfold)
@follows
def unfolded(w, layer, p, s, x):
    over = window(x, layer.size, layer.stride, layer.padding, layer.dilation, layer.channels_first)
    seen = first(w, layer, x)
    channels = x.shape[channel_axis(x, layer.channels_first)]
    if len(over.axes) != 2 or any(a != b for a, b in over.padding):
        text = f"{w.part('windows')}({{}}, {over.size}, {over.stride}, {over.padding}, {over.dilation})"
        return w.call(seen, text, shape=w.out(layer, x).shape)
    given = f"{over.size}, {over.dilation}, {tuple(a for a, _ in over.padding)}, {over.stride}"
    out = w.out(layer, x).shape
    return w.call(seen, f"F.unfold({{}}, {given}).unflatten(2, {over.places})", shape=out) if channels else seen


@writes(fold)
@follows
def folded(w, layer, p, s, x):
    axes = space_axes(x, layer.channels_first, layer.out_size, layer.size)
    if len(axes) != 2:
        raise ExportError("a fold of two spatial axes, as torch's", f"{len(axes)}")
    out, size = sizes(layer.out_size, 2), sizes(layer.size, 2)
    like_ = w.out(layer, x)
    over = window(like_, layer.size, layer.stride, layer.padding, layer.dilation, layer.channels_first)
    if any(a != b for a, b in over.padding):
        raise ExportError("equal padding on both sides, as torch's", f"{layer.padding}")
    given = f"{out}, {size}, {over.dilation}, {tuple(a for a, _ in over.padding)}, {over.stride}"
    return w.call(first(w, layer, x), f"F.fold({{}}.flatten(2), {given})", shape=like_.shape)
