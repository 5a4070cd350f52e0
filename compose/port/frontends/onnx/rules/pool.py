"""Pooling."""

from __future__ import annotations

import math
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.rules.conv import ints, resolved_padding
from compose.port.lowering.windows import padding_word, per_axis


@rules("onnx.MaxPool", "onnx.AveragePool")
def _pool(low, node, x):
    x = low.channels_last(x)
    rank, size = x.ndim - 2, node.get("kernel_shape")
    stride, dilation = ints(node, "strides", rank), ints(node, "dilations", rank)
    padding = resolved_padding(node, x.shape[2:], size, stride, dilation)
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


@rule("onnx.LpPool")
def _norm_pool(low, node, x):
    """The norm of each window: the root of a mean of powers, times the size of the window."""
    p, x = node.get("p", 2), low.channels_last(x)
    rank, size = x.ndim - 2, node.get("kernel_shape")
    stride, dilation = ints(node, "strides", rank), ints(node, "dilations", rank)
    if any(d != 1 for d in dilation) or node.get("ceil_mode", 0):
        raise PortError("norms over windows without gaps, of whole windows alone")
    padding = resolved_padding(node, x.shape[2:], size, stride, dilation)
    options = {"padding": padding, "stride": per_axis(stride, rank)}
    powers = low.emit(word("ops.power")(x2=float(p)), low.emit(word("absolute"), x, shape=x.shape), shape=x.shape)
    y = low.emit(word("avg_pool")(per_axis(size, rank), **options), powers)
    return low.emit(word("ops.power")(x2=1 / p), low.emit(word("scale")(by=float(math.prod(size))), y))


@rules("onnx.GlobalAveragePool", "onnx.GlobalMaxPool")
def _global(low, node, x):
    name = "global_avg_pool" if "Average" in node.op else "global_max_pool"
    return low.emit(word(name)(keepdims=True), low.channels_last(x))
