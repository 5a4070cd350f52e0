"""The shapes and types of what a node makes, from those of what it reads, by onnx's own inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.model import Node

if TYPE_CHECKING:
    from compose.port.frontends.onnx.constant_folding import Graph

_AS_FIRST = ("onnx.GroupNormalization",)  # onnx does not say what they make
SUBGRAPHS = ("onnx.Loop", "onnx.If", "onnx.Scan", "onnx.SequenceMap")


def add_shapes(graph: Graph, node: Node) -> None:
    """Note what the node makes. What cannot be told is vague, and stands there with the shape of the first input.

    An operation that onnx does not know, which only a rule can, is taken to make what its first input is.
    """
    schema, vague = _schema(graph, node), bool(graph.vague.intersection(node.inputs)) or node.op in SUBGRAPHS
    made = {} if vague or schema is None else _inferred(graph, node, schema)
    first = node.inputs[0] if node.inputs else ""
    for name in node.outputs:
        tensor = made[name].tensor_type if name in made else None
        if tensor is not None and tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            graph.shapes[name] = _resized(graph, node) or tuple(d.dim_value for d in tensor.shape.dim)
        else:
            graph.shapes[name] = graph.shapes.get(first, ())
            if vague or (schema is not None and node.op not in _AS_FIRST):
                graph.vague.add(name)
        graph.kinds[name] = tensor.elem_type if tensor is not None else graph.kinds.get(first, TensorProto.DOUBLE)


def _resized(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """The shape that a `Resize` by scales makes, in float32 as onnxruntime multiplies: 5 by 1.4 is 7.

    Onnx's inference multiplies in float64, where the 1.4 of float32 makes it 6.
    """
    names = list(node.inputs)
    scales = graph.constants.get(names[2]) if node.op == "onnx.Resize" and len(names) > 2 else None
    if scales is None or not scales.size:
        return None
    shape = np.array(graph.shapes[names[0]])
    axes = list(range(len(shape)) if node.get("axes") is None else node.get("axes"))
    shape[axes] = np.floor(shape[axes].astype(np.float32) * scales.astype(np.float32))
    return tuple(shape.tolist())


def kind_of(graph: Graph, name: str) -> int:
    """The element type of a value, in ONNX's numbers."""
    if name in graph.constants:
        return helper.np_dtype_to_tensor_dtype(graph.constants[name].dtype)
    return graph.kinds[name]


def _schema(graph: Graph, node: Node) -> Any:
    domain, _, kind = node.op.rpartition(".")
    domain = "" if domain == "onnx" else domain
    version = next((o.version for o in graph.opset if o.domain == domain), 1)
    return onnx.defs.get_schema(kind, version, domain) if onnx.defs.has(kind, version, domain) else None


def _inferred(graph: Graph, node: Node, schema: Any) -> dict[str, Any]:
    names = [name for name in dict.fromkeys(node.inputs) if name]
    if node.op == "onnx.Resize":  # its scales are float32 always
        known = {n: graph.constants.get(n, graph.weights.get(n)) for n in node.inputs[1:3] if n}
        doubles = {n: a for n, a in known.items() if a is not None and a.dtype == np.float64}
        graph.constants.update({n: a.astype(np.float32) for n, a in doubles.items()})
    types = {name: helper.make_tensor_type_proto(kind_of(graph, name), graph.shapes[name]) for name in names}
    given = {n: numpy_helper.from_array(graph.constants[n]) for n in names if n in graph.constants}
    try:
        return onnx.shape_inference.infer_node_outputs(schema, node.proto, types, given, opset_imports=graph.opset)
    except Exception as e:
        shapes = ", ".join(str(graph.shapes[name]) for name in names)
        raise PortError(f"shapes that fit {node.op} at {node.where}, got {shapes}: {str(e).splitlines()[0]}") from e
