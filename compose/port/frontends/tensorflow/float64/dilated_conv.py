"""Dilated convolutions, whose gradient TensorFlow has on no CPU: by kernels with zeros between their values.

Also those that it writes by moving space into the batch, as `tf.nn.atrous_conv2d`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef  # pyright: ignore[reportAttributeAccessIssue]

from compose.core.registry import word
from compose.port.frontends.tensorflow.constant_folding import Known
from compose.port.frontends.tensorflow.float64.nodes import NodeDef, constant, operation
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.rules.conv import one, padding_of

_CONVS = ("Conv2D", "DepthwiseConv2dNative")


def is_dilated(node: Any) -> bool:
    spread = max(node.attr["dilations"].list.i, default=1) > 1
    return node.op == "BatchToSpaceND" or (node.op in _CONVS and spread)


def undilated(imported: Any, graph: Any, idioms: dict[str, Idiom]) -> Any:
    """The graph with every dilated convolution by a kernel that is spread; which those are is added to `idioms`."""
    known = Known(imported)
    kept: dict[str, Any] = {node.name: node for node in graph.node}
    for node in graph.node:
        if is_dilated(node):
            kept.update({new.name: new for new in _spread(imported.get_operation_by_name(node.name), known, idioms)})
    known.close()
    whole = GraphDef(node=kept.values())
    whole.versions.CopyFrom(graph.versions)
    return whole


def _spread(op: Any, known: Known, idioms: dict[str, Idiom]) -> list[Any]:
    """The nodes that replace the last one of a dilated convolution; none for any other node."""
    conv, around = op, None
    if op.type == "BatchToSpaceND":
        conv = op.inputs[0].op
        before = conv.inputs[0].op if conv.type in _CONVS else conv
        if before.type != "SpaceToBatchND" or conv.get_attr("padding") != b"VALID":
            return []
        rates, crops, pads = (known.value(t) for t in (op.inputs[1], op.inputs[2], before.inputs[2]))
        if rates is None or crops is None or pads is None or len(rates) != 2:
            return []
        x, dilation = before.inputs[0], [int(n) for n in rates]
        around = [(int(a - c), int(b - d)) for (a, b), (c, d) in zip(pads, crops)]
    else:
        x, dilation = op.inputs[0], list(op.get_attr("dilations"))[1:-1]
    if not (conv.type == "Conv2D" or around) or (around and max(conv.get_attr("strides")) > 1):
        return []
    kernel, name = conv.inputs[1], op.name
    made, tensor = _grown(name, kernel, dilation)
    new: Any = NodeDef.FromString(conv.node_def.SerializeToString())
    new.name, new.attr["dilations"].list.i[:] = name, [1, 1, 1, 1]
    new.input[:] = [x.name, tensor]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation)]
    if around is not None:
        new.input[0], pads = _padded(name, x.name, around)
        made += pads
    idioms[f"{name}:0"] = Idiom(_layer(conv, x, kernel, dilation, around, spans), x.name, {"kernel": kernel.name})
    return [*made, new]


def _grown(name: str, kernel: Any, dilation: list[int]) -> tuple[list[Any], str]:
    """The kernel with zeros between its values."""
    made, tensor = [], kernel.name
    for equation, size, step in zip(("hwio,ah->awio", "hwio,bw->hbio"), kernel.shape[:2], dilation):
        place = np.zeros(((size - 1) * step + 1, size))
        place[np.arange(size) * step, np.arange(size)] = 1
        held = constant(f"{name}/places_{equation[5]}", place)
        grown = operation(f"{name}/spread_{equation[5]}", "Einsum", [tensor, f"{held.name}:0"], T=tf.float64)
        grown.attr["equation"].s, grown.attr["N"].i = equation.encode(), 2
        made += [held, grown]
        tensor = f"{grown.name}:0"
    return made, tensor


def _padded(name: str, x: str, around: list[tuple[int, int]]) -> tuple[str, list[Any]]:
    widths = constant(f"{name}/widths", np.asarray([(0, 0), *around, (0, 0)], np.int32))
    pad = operation(f"{name}/padded", "Pad", [x, f"{widths.name}:0"], T=tf.float64, Tpaddings=tf.int32)
    return f"{pad.name}:0", [widths, pad]


def _layer(conv: Any, x: Any, kernel: Any, dilation: list[int], around: Any, spans: list[int]) -> Any:
    padding = padding_of(conv) if around is None else tuple(around)
    if around is not None and all(pads == ((n - 1) // 2, n // 2) for pads, n in zip(around, spans)):
        padding = "same"
    padding = "valid" if padding == ((0, 0), (0, 0)) else padding
    options = {"stride": one(conv.get_attr("strides")[1:-1]), "dilation": one(dilation), "padding": padding}
    *size, each, filters = kernel.shape.as_list()
    if conv.type == "Conv2D":
        return word("conv")(filters, one(size), groups=x.shape[-1] // each, bias=False, **options)
    return word("depthwise_conv")(one(size), multiplier=filters, bias=False, **options)
