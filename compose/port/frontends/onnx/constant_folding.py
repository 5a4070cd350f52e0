"""What depends on no data is computed while reading, sizes with the batch in them too; the rest gets its shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.choices import chosen, inside, live
from compose.port.frontends.onnx.exact import evaluator
from compose.port.frontends.onnx.functions import body, is_function, type_of
from compose.port.frontends.onnx.loops import LOOPS, unrolled
from compose.port.frontends.onnx.model import Node, node_of
from compose.port.frontends.onnx.registry import named_rule
from compose.port.frontends.onnx.shape_inference import SUBGRAPHS, add_shapes, kind_of

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
        vague: those whose shape no one can tell before numbers are there.
        varying: constants that are others where the batch is, by name, as they are for a second batch.
        expand: the first outputs of nodes that are read as the standard writes them in other operations.
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
    vague: set[str] = field(default_factory=set)
    varying: dict[str, np.ndarray] = field(default_factory=dict)
    expand: frozenset[str] = frozenset()

    def readers(self, name: str) -> list[Node]:
        return [node for node in self.nodes if name in node.inputs]

    def follow(self, node: Node) -> None:
        """Note whether what a node makes depends on the input."""
        if self.values.intersection(node.inputs):
            self.values.update(node.outputs)

    def number(self, name: str) -> float | None:
        """The value of a constant of one element that is the same for any batch, or None."""
        if name in self.varying:
            return None
        value = self.constants.get(name, self.weights.get(name))
        return None if value is None or value.size != 1 else value.item()


def folded(model: onnx.ModelProto, sizes: dict[str, tuple[int, ...]], expand: frozenset[str] = frozenset()) -> Graph:
    """Walk the wide model once, with these sizes of its inputs.

    Operations without a rule that the standard writes in others are read so, and the nodes of `expand` too.

    Raises `PortError` for a shape that does not fit, with the node; operations that onnx does not know are left for the
    rules, with the shape of their first input.
    """
    source = model.graph
    graph = Graph([], {"": np.zeros(0)}, {}, dict(sizes), list(sizes), [o.name for o in source.output])
    graph.opset, graph.values, graph.expand = list(model.opset_import), set(sizes), expand
    kinds = graph.kinds
    kinds.update({x.name: x.type.tensor_type.elem_type for x in source.input})
    for tensor in source.initializer:
        value = numpy_helper.to_array(tensor)
        kinds[tensor.name], graph.shapes[tensor.name] = tensor.data_type, value.shape
        if tensor.data_type == TensorProto.DOUBLE:
            graph.weights[tensor.name] = value
        else:
            graph.constants[tensor.name] = value
    _walk(graph, source.node)
    graph.nodes = live(graph.nodes, graph.outputs)
    for node in inside(graph.nodes):
        if node.op in SUBGRAPHS and not node.ways:
            raise PortError(
                f"loops with a known number of iterations, got {node.op} at {node.where}: export the model with the "
                "loop unrolled"
            )
        if graph.vague.intersection(node.outputs):
            if named_rule(node.op) is None:
                break  # it is said to be missing
            raise PortError(f"sizes that do not depend on numbers of the input, got {node.op} at {node.where}")
    return graph


def _walk(graph: Graph, protos: Iterable[onnx.NodeProto]) -> None:
    for proto in protos:
        node = node_of(proto)
        if node.op == "onnx.If" and node.inputs[0] in graph.constants:
            way = node.get("then_branch" if graph.constants[node.inputs[0]].item() else "else_branch")
            ends = [helper.make_node("Identity", [o.name], [n]) for o, n in zip(way.output, node.outputs)]
            _walk(graph, [*way.node, *ends])
        elif node.op == "onnx.If" and not graph.vague.intersection(node.inputs):
            graph.nodes.append(chosen(graph, node, _walk))
            graph.follow(graph.nodes[-1])
        elif node.op in LOOPS and unrolled(graph, node, _walk):
            continue
        elif not _folds(graph, node):
            written = _expanded(graph, node)
            if written is not None:
                _walk(graph, written)
                continue
            _check_floats(node)
            graph.nodes.append(node)
            graph.follow(node)
            add_shapes(graph, node)
            if graph.vague.intersection(node.outputs):
                written = _written(graph, node)
                if written is not None:  # onnx infers less of the operation than of its body
                    graph.nodes.pop()
                    graph.vague.difference_update(node.outputs)
                    _walk(graph, written)


def _expanded(graph: Graph, node: Node) -> list[onnx.NodeProto] | None:
    """What the standard says that a node is, if it has no rule or is to be read so."""
    asked = node.outputs[0] in graph.expand
    return _written(graph, node) if asked or named_rule(node.op) is None else None


def _written(graph: Graph, node: Node) -> list[onnx.NodeProto] | None:
    if not is_function(node.op, graph.opset) or graph.vague.intersection(node.inputs):
        return None
    types = [type_of(kind_of(graph, n), graph.shapes[n]) if n else onnx.TypeProto() for n in node.inputs]
    return body(node.proto, types, graph.opset)


def _check_floats(node: Node) -> None:
    if any(part in node.op for part in ("Quantize", "QLinear", "Integer")):
        raise PortError(
            f"a model in floating point, got {node.op} at {node.where}, which computes in whole numbers: port the "
            "model from before it was quantised; weights that are only stored so are read"
        )


def _folds(graph: Graph, node: Node) -> bool:
    if node.op in ("onnx.Shape", "onnx.Size") and node.inputs[0] in graph.vague:
        return False
    if node.op == "onnx.Shape":
        shape = graph.shapes[node.inputs[0]]
        graph.constants[node.outputs[0]] = np.array(shape[node.get("start", 0) : node.get("end")], np.int64)
    elif node.op == "onnx.Size":
        graph.constants[node.outputs[0]] = np.array(np.prod(graph.shapes[node.inputs[0]]), np.int64)
    elif node.op == "onnx.CastLike" and _fixed(graph, node.inputs[0]):
        dtype = helper.tensor_dtype_to_np_dtype(kind_of(graph, node.inputs[1]))
        graph.constants[node.outputs[0]] = _value(graph, node.inputs[0]).astype(dtype)
    elif node.op not in (*SUBGRAPHS, *_DRAWN) and all(_fixed(graph, name) for name in node.inputs):
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
    try:
        return evaluator(one).run(None, given)  # pyright: ignore[reportReturnType]
    except Exception as e:
        raise PortError(f"constants that {node.op} at {node.where} can be computed of: {e}") from e
