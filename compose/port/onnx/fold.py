"""What depends on no data is computed while reading, sizes with the batch in them too; the rest gets its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from compose.core.errors import PortError
from compose.port.onnx.model import Node, node_of

CONTROL = ("onnx.Loop", "onnx.If", "onnx.Scan", "onnx.SequenceMap")
_DRAWN = ("onnx.RandomNormal", "onnx.RandomUniform", "onnx.RandomNormalLike", "onnx.RandomUniformLike")


@dataclass
class Graph:
    """A model with its constants folded.

    Attributes:
        nodes: those that depend on the input or on weights, in an order in which they can run.
        constants: values that depend on neither, by name.
        weights: initialisers in floating point, in float64.
        shapes: of all values that are there, with the batch as a number.
        inputs, outputs: names.
        opset: the domains and their versions.
        kinds: the element types of values and weights, in ONNX's numbers.
        values: names of all that depends on the input.
    """

    nodes: list[Node]
    constants: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]
    inputs: list[str]
    outputs: list[str]
    opset: list = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def readers(self, name: str) -> list[Node]:
        return [node for node in self.nodes if name in node.inputs]

    def follow(self, node: Node) -> None:
        """Note whether what a node makes depends on the input."""
        if self.values.intersection(node.inputs):
            self.values.update(node.outputs)

    def number(self, name: str) -> float | None:
        """The value of a constant of one element, or None."""
        value = self.constants.get(name, self.weights.get(name))
        return None if value is None or value.size != 1 else value.item()


def folded(model: onnx.ModelProto, sizes: dict[str, tuple[int, ...]]) -> Graph:
    """Walk the wide model once, with these sizes of its inputs.

    Raises `PortError` for a shape that does not fit, with the node; operations that onnx does not know are left for the
    rules, with the shape of their first input.
    """
    source = model.graph
    graph = Graph([], {"": np.zeros(0)}, {}, dict(sizes), list(sizes), [o.name for o in source.output])
    graph.opset, graph.values = list(model.opset_import), set(sizes)
    kinds = graph.kinds
    kinds.update({x.name: x.type.tensor_type.elem_type for x in source.input})
    for tensor in source.initializer:
        value = numpy_helper.to_array(tensor)
        kinds[tensor.name], graph.shapes[tensor.name] = tensor.data_type, value.shape
        if tensor.data_type == TensorProto.DOUBLE:
            graph.weights[tensor.name] = value
        else:
            graph.constants[tensor.name] = value
    for proto in source.node:
        node = node_of(proto)
        if not _folds(graph, node):
            _shape(graph, node)
    graph.nodes = _live(graph)
    for node in graph.nodes:
        if node.op in CONTROL:
            raise PortError(
                f"a model without control flow, got {node.op} at {node.where}: "
                "export it with both ways computed and chosen by Where, and loops written out"
            )
    return graph


def _folds(graph: Graph, node: Node) -> bool:
    if node.op == "onnx.Shape":
        shape = graph.shapes[node.inputs[0]]
        graph.constants[node.outputs[0]] = np.array(shape[node.get("start", 0) : node.get("end")], np.int64)
    elif node.op == "onnx.Size":
        graph.constants[node.outputs[0]] = np.array(np.prod(graph.shapes[node.inputs[0]]), np.int64)
    elif node.op == "onnx.CastLike" and _fixed(graph, node.inputs[0]):
        dtype = helper.tensor_dtype_to_np_dtype(_kind(graph, node.inputs[1]))
        graph.constants[node.outputs[0]] = _value(graph, node.inputs[0]).astype(dtype)
    elif node.op not in (*CONTROL, *_DRAWN) and all(_fixed(graph, name) for name in node.inputs):
        given = {name: _value(graph, name) for name in node.inputs if name}
        graph.constants.update(zip(node.outputs, evaluated(graph, node, given)))
    else:
        return False
    graph.shapes.update({name: graph.constants[name].shape for name in node.outputs if name in graph.constants})
    return True


def _fixed(graph: Graph, name: str) -> bool:
    return name in graph.constants or (name in graph.weights and graph.weights[name].size == 1)


def _value(graph: Graph, name: str) -> np.ndarray:
    return graph.constants[name] if name in graph.constants else graph.weights[name]


def evaluated(graph: Graph, node: Node, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of one node on arrays."""
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
    one = helper.make_model(helper.make_graph([node.proto], "one", inputs, outputs), opset_imports=graph.opset)
    return ReferenceEvaluator(one).run(None, given)  # pyright: ignore[reportReturnType]


def _shape(graph: Graph, node: Node) -> None:
    graph.nodes.append(node)
    graph.follow(node)
    made, kinds = _inferred(graph, node), graph.kinds
    for name in node.outputs:
        tensor = made[name].tensor_type if name in made else None
        if tensor is None or not tensor.HasField("shape"):
            graph.shapes[name] = graph.shapes[node.inputs[0]] if node.inputs else ()
            kinds[name] = kinds.get(node.inputs[0], TensorProto.DOUBLE) if node.inputs else TensorProto.DOUBLE
        else:
            graph.shapes[name] = tuple(d.dim_value for d in tensor.shape.dim)
            kinds[name] = tensor.elem_type


def _inferred(graph: Graph, node: Node) -> dict[str, Any]:
    domain, _, kind = node.op.rpartition(".")
    domain = "" if domain == "onnx" else domain
    version = next((o.version for o in graph.opset if o.domain == domain), 1)
    if node.op in CONTROL or not onnx.defs.has(kind, version, domain):
        return {}
    names = [name for name in dict.fromkeys(node.inputs) if name]
    if node.op == "onnx.Resize":  # its scales are float32 always
        known = {n: graph.constants.get(n, graph.weights.get(n)) for n in node.inputs[1:3] if n}
        graph.constants.update({n: a.astype(np.float32) for n, a in known.items() if a is not None and _is_double(a)})
    types = {name: helper.make_tensor_type_proto(_kind(graph, name), graph.shapes[name]) for name in names}
    known = {n: numpy_helper.from_array(graph.constants[n]) for n in names if n in graph.constants}
    schema = onnx.defs.get_schema(kind, version, domain)
    try:
        return onnx.shape_inference.infer_node_outputs(schema, node.proto, types, known, opset_imports=graph.opset)
    except Exception as e:
        shapes = ", ".join(str(graph.shapes[name]) for name in names)
        raise PortError(f"shapes that fit {node.op} at {node.where}, got {shapes}: {str(e).splitlines()[0]}") from e


def _is_double(array: np.ndarray) -> bool:
    return array.dtype == np.float64


def _kind(graph: Graph, name: str) -> int:
    if name in graph.constants:
        return helper.np_dtype_to_tensor_dtype(graph.constants[name].dtype)
    return graph.kinds[name]


def _live(graph: Graph) -> list[Node]:
    wanted, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]
