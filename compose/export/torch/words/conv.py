"""Convolutions, with channels first as torch has them."""

from __future__ import annotations

from typing import Any

from compose.export.errors import ExportError
from compose.export.source.registry import follows
from compose.export.source.text import same
from compose.export.torch.registry import writes
from compose.layers.conv.conv import conv, depthwise_conv
from compose.layers.conv.transpose import conv_transpose
from compose.layers.window import channel_axis, pairs, sizes, space_axes, window


def first(w, layer, x):
    """The input with channels second, of a layer that may have them there anyway."""
    return w.last(x) if layer.channels_first else w.first(x)


def padded(w, x, widths: list[tuple[int, int]], value: float = 0.0):
    """Constants around the spatial axes of a tensor with channels second."""
    if not any(map(any, widths)):
        return x
    flat = tuple(n for pair in reversed(widths) for n in pair)
    rank = len(widths)
    shape = widened(x, widths)
    text = f"{flat}, value={value!r}" if value else f"{flat}"
    module = f"nn.ConstantPad{rank}d({flat}, {value!r})" if value == value else None
    return w.call(x, f"F.pad({{}}, {text})", module, shape=shape)


def widened(x, widths):
    space = range(1, x.ndim - 1) if x.first else range(2, x.ndim)
    shape = list(x.shape)
    for axis, pair in zip(space, widths):
        shape[axis] += sum(pair)
    return tuple(shape)


def extra(**given: Any) -> str:
    """Arguments that differ from torch's defaults."""
    defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0}
    return "".join(f", {k}={v!r}" for k, v in given.items() if v != defaults[k]).replace("'", '"')


@writes(conv, depthwise_conv)
@follows
def convolution(w, layer, p, s, x):
    over = window(x, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.channels_first)
    rank, filters = len(over.axes), p["kernel"].shape[-1]
    channels = x.shape[channel_axis(x, layer.channels_first)]
    groups = getattr(layer, "groups", channels)
    seen, padding = first(w, layer, x), over.padding
    if any(a != b for a, b in padding) and not (layer.padding == "same" and max(over.stride) == 1):
        seen, padding = padded(w, seen, list(padding)), ((0, 0),) * rank
    given: Any = same(a for a, _ in padding)
    if layer.padding == "same" and max(over.stride) == 1 and max(over.size) > 1:
        given = "same"
    options = extra(
        stride=same(over.stride), padding=given, dilation=same(over.dilation), groups=groups, bias=layer.bias
    )
    kernel = p["kernel"].transpose(rank + 1, rank, *range(rank))
    shape = list(x.shape)
    for axis, n in zip(over.axes, over.places):
        shape[axis] = n
    shape[channel_axis(x, layer.channels_first)] = filters
    text = f"nn.Conv{rank}d({channels}, {filters}, {same(over.size)}{options})"
    y = w.module(seen, text, {"weight": kernel, **({"bias": p["bias"]} if layer.bias else {})}, shape=shape)
    return w.inside("activation", layer.activation, p, y)


@writes(conv_transpose)
@follows
def transposed(w, layer, p, s, x):
    axes = space_axes(x, layer.channels_first)
    rank, space = len(axes), [x.shape[a] for a in axes]
    size, stride, dilation = (sizes(v, rank) for v in (layer.kernel, layer.stride, layer.dilation))
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    cut = layer.crop(size, stride, dilation)
    more = [after for _, after in pairs(layer.output_padding, rank)]
    # torch crops both ends alike: the end further by a crop of its own, or less by output_padding.
    ends = [before - after + m for (before, after), m in zip(cut, more)]
    grown = [max(e, 0) for e in ends]
    shrunk = [max(-e, 0) for e in ends]
    front = [before for before, _ in cut]
    if any(b < 0 for b in front) or any(g >= max(n, d) for g, n, d in zip(grown, stride, dilation)):
        raise ExportError("a transposed convolution whose ends torch can crop", f"padding {layer.padding}")
    kernel = p["kernel"]
    *_, inputs, filters = kernel.shape
    groups = layer.groups
    flipped = kernel[(slice(None, None, -1),) * rank]
    apart = flipped.reshape(*size, inputs, groups, filters // groups)
    apart = apart.transpose(rank + 1, rank, rank + 2, *range(rank)).reshape(inputs * groups, filters // groups, *size)
    options = extra(
        stride=same(stride), padding=same(front), output_padding=same(grown), groups=groups, bias=layer.bias,
        dilation=same(dilation),
    )  # fmt: skip
    shape, at = list(x.shape), channel_axis(x, layer.channels_first)
    for axis, n, st, k, b, g in zip(axes, space, stride, spans, front, grown):
        shape[axis] = (n - 1) * st + k - 2 * b + g
    shape[at] = filters
    text = f"nn.ConvTranspose{rank}d({x.shape[at]}, {filters}, {same(size)}{options})"
    weights = {"weight": apart, **({"bias": p["bias"]} if layer.bias else {})}
    y = w.module(first(w, layer, x), text, weights, shape=shape)
    if any(shrunk):
        cuts = ", ".join(f":-{n}" if n else ":" for n in shrunk)
        for axis, n in zip(axes, shrunk):
            shape[axis] -= n
        y = w.call(y, f"{{}}[:, :, {cuts}]", shape=shape)
    return w.inside("activation", layer.activation, p, y)
