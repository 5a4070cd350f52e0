"""Convolutions."""

from __future__ import annotations

from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.keras.words.elementwise import activated
from compose.export.keras.words.layouts import back, cropped, extra, padded, to_last
from compose.export.source.text import same
from compose.layers.conv.conv import conv, depthwise_conv
from compose.layers.conv.transpose import conv_transpose
from compose.layers.window import pairs, sizes, window


def finished(w, layer, p, x, text, weights, shape):
    """The convolution and its activation, which comes after the channels are where the network has them."""
    if not layer.channels_first:
        return activated(w, layer, p, x, text, weights, shape)
    return w.inside("activation", layer.activation, p, back(w, layer, w.module(x, text, weights, shape)))


@writes(conv, depthwise_conv)
def convolution(w, layer, p, s, x):
    x = to_last(w, layer, x)
    over = window(x, layer.kernel, layer.stride, layer.padding, layer.dilation)
    rank, filters, channels = len(over.axes), p["kernel"].shape[-1], x.shape[-1]
    if max(over.stride) > 1 and max(over.dilation) > 1:
        raise ExportError("strides or dilation, as Keras has one of them", f"{over.stride} and {over.dilation}")
    shape = (x.shape[0], *over.places, filters)
    padding = layer.padding
    if not isinstance(padding, str):
        x, padding = padded(w, x, over.padding), "valid"
    options = extra(strides=over.stride, padding=padding, dilation_rate=over.dilation)
    groups, bias = getattr(layer, "groups", channels), extra(use_bias=layer.bias)
    weights = {k: p[k] for k in ("kernel", "bias") if k in p}
    if isinstance(layer, depthwise_conv) and rank < 3 and len(set(over.stride)) == 1:
        more = filters // channels
        weights["kernel"] = p["kernel"].reshape(*over.size, channels, more)
        multiplier = f", depth_multiplier={more}" if more != 1 else ""
        text = f"layers.DepthwiseConv{rank}D({same(over.size)}{options}{multiplier}{bias})"
    else:
        text = f"layers.Conv{rank}D({filters}, {same(over.size)}{options}{extra(groups=groups)}{bias})"
    return finished(w, layer, p, x, text, weights, shape)


@writes(conv_transpose)
def transposed(w, layer, p, s, x):
    x = to_last(w, layer, x)
    space, filters = x.shape[1:-1], p["kernel"].shape[-1]
    rank = len(space)
    size, stride, dilation = (sizes(v, rank) for v in (layer.kernel, layer.stride, layer.dilation))
    if layer.groups != 1 or (max(stride) > 1 and max(dilation) > 1):
        raise ExportError("a transposed convolution of one group with strides or dilation", f"{layer}")
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    more = [after for _, after in pairs(layer.output_padding, rank)]
    cut = [(before, after - m) for (before, after), m in zip(layer.crop(size, stride, dilation), more)]
    halves = all(k >= t and (k - t) % 2 == 0 for k, t in zip(spans, stride))
    kept = layer.padding == "same" and not any(more) and halves
    # Where the end has more than all windows give, Keras adds it, and where it has less, a layer cuts it off.
    added = [max(-after, 0) for _, after in cut]
    if any(before < 0 for before, _ in cut) or any(n >= max(t, 2) for n, t in zip(added, stride)):
        raise ExportError("a transposed convolution whose ends Keras can cut", f"padding {layer.padding}")
    options = extra(strides=stride, padding="same" if kept else "valid")
    options += extra(dilation_rate=dilation, use_bias=layer.bias)
    widths = [(0, 0)] * rank
    full = [(n - 1) * t + k for n, t, k in zip(space, stride, spans)]
    if not kept:
        options += (
            f", output_padding={same(added)}"
            if any(a != max(t - k, 0) for a, t, k in zip(added, stride, spans))
            else ""
        )
        widths = [(before, max(after, 0)) for before, after in cut]
        full = [n + a for n, a in zip(full, added)]
    else:
        full = [n * t for n, t in zip(space, stride)]
    kernel = p["kernel"][(slice(None, None, -1),) * rank]
    weights = {"kernel": kernel.swapaxes(-1, -2), **({"bias": p["bias"]} if layer.bias else {})}
    text = f"layers.Conv{rank}DTranspose({filters}, {same(size)}{options})"
    shape = (x.shape[0], *full, filters)
    if not any(map(any, widths)):
        return finished(w, layer, p, x, text, weights, shape)
    y = cropped(w, w.module(x, text, weights, shape), widths)
    return w.inside("activation", layer.activation, p, back(w, layer, y))
