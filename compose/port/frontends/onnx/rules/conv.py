"""Convolution and pooling: what wants channels last."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.conv.conv import conv
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.lowering.windows import conv_padding, kernel_take, padded_axes, padding_word, per_axis, turned_take


@rule("onnx.Conv")
def _conv(low, node, x, weight, bias=None):
    weight, bias = low.weight(weight), low.bias(bias)
    x = low.channels_last(x)
    kernel, rank = weight.shape[2:], x.ndim - 2
    stride, dilation = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    layer = conv(
        weight.shape[0], per_axis(kernel, rank), stride=per_axis(stride, rank),
        padding=_padding(node, x.shape[2:], kernel, stride, dilation), dilation=per_axis(dilation, rank),
        groups=node.get("group", 1), bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": kernel_take(weight), "bias": bias})


def _numbers(node, name: str, rank: int) -> tuple[int, ...]:
    return node.get(name) or (1,) * rank


def _padding(node, sizes, kernel, stride, dilation) -> Any:
    """The padding in the fewest words; pairs that are those of `same` for these sizes say `same`."""
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
    weight, bias = low.weight(weight), low.bias(bias)
    x = low.channels_last(x)
    rank, groups = x.ndim - 2, node.get("group", 1)
    kernel, stride, dilation = weight.shape[2:], _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
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
    layer = word("conv_transpose")(
        groups * weight.shape[1], per_axis(kernel, rank), stride=per_axis(stride, rank),
        padding=padding_word(tuple(a for a, _ in pads), rank) if even else tuple(pads),
        output_padding=per_axis(extra, rank), dilation=per_axis(dilation, rank), groups=groups,
        bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": turned_take(weight, groups), "bias": bias})


@rules("onnx.MaxPool", "onnx.AveragePool")
def _pool(low, node, x):
    x = low.channels_last(x)
    rank, size = x.ndim - 2, node.get("kernel_shape")
    stride, dilation = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    padding = _padding(node, x.shape[2:], size, stride, dilation)
    if padding == "same" and node.get("auto_pad", "NOTSET") == "NOTSET":
        padding = tuple(zip(node.get("pads")[:rank], node.get("pads")[rank:]))
        padding = padding_word(tuple(a for a, _ in padding), rank) if all(a == b for a, b in padding) else padding
    options: dict[str, Any] = {"size": per_axis(size, rank), "padding": padding}
    if stride != tuple(size):
        options["stride"] = per_axis(stride, rank)
    if node.get("ceil_mode", 0):
        options["ceil_mode"] = True
    if any(d != 1 for d in dilation):
        if node.op != "onnx.MaxPool":
            raise PortError("an average over windows without gaps")
        options["dilation"] = per_axis(dilation, rank)
    if node.op == "onnx.MaxPool":
        return low.emit(word("max_pool")(**options), x)
    counted = bool(node.get("count_include_pad", 0))
    padded = padding not in ("valid", 0) or options.get("ceil_mode")
    return low.emit(word("avg_pool")(**options, **({} if counted or not padded else {"count_padding": False})), x)


@rules("onnx.GlobalAveragePool", "onnx.GlobalMaxPool")
def _global(low, node, x):
    name = "global_avg_pool" if "Average" in node.op else "global_max_pool"
    return low.emit(word(name)(keepdims=True), low.channels_last(x))


@rule("onnx.Pad")
def _pad(low, node, x, pads, value=None, axes=None):
    mode, fill = node.get("mode", "constant"), None if value is None else low.known(value)
    x, given = low.whole(x), low.known(pads)
    dims = list(range(x.ndim)) if axes is None else [int(a) % x.ndim for a in low.known(axes)]
    widths = {a: (int(given[i]), int(given[i + len(dims)])) for i, a in enumerate(dims)}
    x, around = padded_axes(low, x, widths)
    if not around:
        return x
    options: dict[str, Any] = {} if mode == "constant" else {"mode": mode}
    if fill is not None and fill.size and float(fill.ravel()[0]):
        options["value"] = float(fill.ravel()[0])
    return low.emit(word("pad")(around, **options), x)


@rules("onnx.DepthToSpace", "onnx.SpaceToDepth")
def _blocks(low, node, x):
    x, factor = low.channels_last(x), node.get("blocksize")
    by_channel = node.get("mode", "DCR") == "CRD"
    if node.op == "onnx.SpaceToDepth":
        return low.emit(word("pixel_unshuffle" if by_channel else "space_to_depth")(factor), x)
    return low.emit(word("pixel_shuffle" if by_channel else "depth_to_space")(factor), x)
