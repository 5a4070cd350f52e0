"""Convolutions."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.conv.conv import conv
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.rules.patches import along_channels, patches_summed, patches_times
from compose.port.lowering.values import Value
from compose.port.lowering.windows import conv_padding, kernel_view, padding_word, per_axis, turned_view


@rule("onnx.Conv")
def _conv(low, node, x, weight, bias=None):
    if isinstance(weight, Value):
        rank = x.ndim - 2
        stride, dilation = ints(node, "strides", rank), ints(node, "dilations", rank)
        padding = resolved_padding(node, x.shape[2:], weight.shape[2:], stride, dilation)
        options = {"stride": per_axis(stride, rank), "dilation": per_axis(dilation, rank), "padding": padding}
        made = patches_times(low, x, weight, node.get("group", 1), options)
        return with_bias(low, made, bias)
    if isinstance(bias, Value):
        return with_bias(low, _conv(low, node, x, weight), bias)
    weight, bias = low.kernel(weight), low.bias(bias)
    x = low.channels_last(x)
    kernel, rank = weight.shape[2:], x.ndim - 2
    stride, dilation = ints(node, "strides", rank), ints(node, "dilations", rank)
    layer = conv(
        weight.shape[0], per_axis(kernel, rank), stride=per_axis(stride, rank),
        padding=resolved_padding(node, x.shape[2:], kernel, stride, dilation), dilation=per_axis(dilation, rank),
        groups=node.get("group", 1), bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": kernel_view(weight), "bias": bias})


def with_bias(low, y: Value, bias: Any) -> Value:
    """A sum with one number for each channel, which may be a value."""
    return y if bias is None else low.joined("add", y, along_channels(low, bias, y.ndim))


def ints(node, name: str, rank: int) -> tuple[int, ...]:
    return node.get(name) or (1,) * rank


def resolved_padding(node, sizes, kernel, stride, dilation) -> Any:
    """The shortest form of the padding: `same` if the pairs equal it for these sizes."""
    auto, rank = node.get("auto_pad", "NOTSET"), len(kernel)
    if auto == "SAME_UPPER":
        return "same"
    pads = (0,) * (2 * rank) if auto == "VALID" else node.get("pads") or (0,) * (2 * rank)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    totals = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(sizes, stride, spans)]
    if auto == "SAME_LOWER":
        pairs = tuple((t - t // 2, t // 2) for t in totals)
    else:
        pairs = tuple(zip(pads[:rank], pads[rank:]))
    if all(before == after for before, after in pairs):
        return conv_padding(tuple(before for before, _ in pairs), kernel, stride, dilation)
    return "same" if pairs == tuple((t // 2, t - t // 2) for t in totals) else pairs


@rule("onnx.ConvTranspose")
def _conv_transpose(low, node, x, weight, bias=None):
    if isinstance(bias, Value):
        return with_bias(low, _conv_transpose(low, node, x, weight), bias)
    if not isinstance(weight, Value):
        weight, bias = low.kernel(weight), low.bias(bias)
    x = low.channels_last(x)
    rank, groups = x.ndim - 2, node.get("group", 1)
    kernel, stride, dilation = weight.shape[2:], ints(node, "strides", rank), ints(node, "dilations", rank)
    extra = node.get("output_padding") or (0,) * rank
    full = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[2:], stride, kernel, dilation)]
    if node.get("output_shape") or node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        cut = [f + e - n for f, e, n in zip(full, extra, low.shape[2:])]
        upper = node.get("auto_pad") == "SAME_UPPER"
        pads = [(t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in cut]
    else:
        given = node.get("pads") or (0,) * (2 * rank)
        pads = list(zip(given[:rank], given[rank:]))
    even = all(before == after for before, after in pads)
    if isinstance(weight, Value):
        if any(min(pair) < 0 for pair in pads):
            raise PortError("a transposed convolution by a value that is cut, got one that is widened by zeros")
        made = patches_summed(low, x, weight, groups, stride, dilation, pads)
        return with_bias(low, made, bias)
    layer = word("conv_transpose")(
        groups * weight.shape[1], per_axis(kernel, rank), stride=per_axis(stride, rank),
        padding=padding_word(tuple(a for a, _ in pads), rank) if even else tuple(pads),
        output_padding=per_axis(extra, rank), dilation=per_axis(dilation, rank), groups=groups,
        bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": turned_view(weight, groups), "bias": bias})
