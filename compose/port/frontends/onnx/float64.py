"""A model in float64: the form in which it is read, and in which the proof runs it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from compose.port.frontends.onnx.literals import meant
from compose.port.frontends.onnx.model import array

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all its floats in float64; single numbers are those that were meant."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        widen_node(node)
    return made


def widen_node(node: onnx.NodeProto) -> None:
    """Make one node compute in float64."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            _widen(attribute.t)
        for inner in attribute.g.node:
            widen_node(inner)
        if attribute.name in ("to", "dtype") and attribute.i in _FLOATS:
            attribute.i = TensorProto.DOUBLE
    if node.op_type == "ConstantOfShape" and not node.attribute:
        zero = numpy_helper.from_array(np.zeros(1))
        node.attribute.append(onnx.helper.make_attribute("value", zero))


def widened_tensor(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """A copy of a tensor in float64."""
    made = onnx.TensorProto()
    made.CopyFrom(tensor)
    _widen(made)
    return made


def _widen(tensor: onnx.TensorProto) -> None:
    if tensor.data_type not in _FLOATS:
        return
    wide = array(tensor).astype(np.float64)
    if wide.size == 1:
        wide = np.full(wide.shape, meant(wide.item()))
    tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
