"""The graph in float64 and without side effects: variables become inputs, batch norm becomes arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef  # pyright: ignore[reportAttributeAccessIssue]

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.tensorflow.capture import Captured
from compose.port.tensorflow.draws import without_draws
from compose.port.tensorflow.flat import flat, needed
from compose.port.tensorflow.idioms import Idiom
from compose.port.tensorflow.nodes import constant, operation, placeholder, said, wide_type, widened


@dataclass(frozen=True)
class Exact:
    """A graph of pure functions in float64.

    Attributes:
        graph: the `GraphDef`.
        inputs: the nodes that stand for the inputs, in their order.
        weights: for each node that stands for a variable its name in the source.
        outputs: the tensors of the outputs, flat.
        idioms: tensors of which it is known what they are, as dropout, which computes nothing here.
        batch: the length of the first axis of the inputs.
    """

    graph: Any
    inputs: tuple[str, ...]
    weights: dict[str, str]
    outputs: tuple[str, ...]
    idioms: dict[str, Idiom]
    batch: int

    def imported(self) -> tf.Graph:
        """As a graph of TensorFlow; raises `PortError` where an operation has no form in float64."""
        made = tf.Graph()
        try:
            with made.as_default():
                tf.graph_util.import_graph_def(self.graph, name="")
        except ValueError as e:
            raise PortError(f"operations that TensorFlow has in float64: {e}") from e
        return made


def exact(captured: Captured, shapes: list[tuple[int, ...]]) -> Exact:
    """The captured graph in float64, for inputs of these shapes."""
    nodes, outputs = flat(captured.graph, captured.outputs)
    stands: dict[str, str] = {}
    made: dict[str, Any] = {}
    inputs = []
    for i, ((tensor, (dtype, _)), shape) in enumerate(zip(captured.inputs.items(), shapes, strict=True)):
        node = placeholder(f"compose_input_{i}", wide_type(dtype.as_datatype_enum), shape)
        made[node.name], stands[tensor] = node, f"{node.name}:0"
        inputs.append(node.name)
    for i, (tensor, value) in enumerate(captured.constants.items()):
        node = constant(f"compose_constant_{i}", value)
        made[node.name], stands[tensor] = node, f"{node.name}:0"
    weights: dict[str, str] = {}
    idioms: dict[str, Idiom] = {}
    for node in nodes:
        variable = captured.variables.get(node.name)
        if variable is not None:
            weights[node.name] = variable.name
            dtype = wide_type(tf.as_dtype(variable.array.dtype).as_datatype_enum)
            made[node.name] = placeholder(node.name, dtype, variable.array.shape)
        else:
            made.update({new.name: widened(new) for new in _pure(node, idioms)})
    for node in made.values():
        reads = [stands.get(i, i) for i in node.input]
        del node.input[:]
        node.input.extend(reads)
    ends = [stands.get(o, o) for o in outputs]
    kept = without_draws(needed(made, ends), idioms)
    order = needed({node.name: node for node in kept}, ends)
    here = {node.name for node in order}
    unread = [made[name] for name in inputs if name not in here]
    graph = GraphDef(node=[*unread, *order])
    graph.versions.CopyFrom(captured.graph.versions)
    return Exact(
        graph, tuple(inputs), {k: v for k, v in weights.items() if k in here}, tuple(ends),
        {k: v for k, v in idioms.items() if k.rpartition(":")[0] in here}, shapes[0][0] if shapes and shapes[0] else 1,
    )  # fmt: skip


def _pure(node: Any, idioms: dict[str, Idiom]) -> list[Any]:
    """A node, or several, that compute in float64, and of a variable's value what this one does of the variable."""
    if node.op == "ReadVariableOp":
        return [operation(node.name, "Identity", node.input[:1], T=node.attr["dtype"])]
    if node.op == "ResourceGather":
        axis = constant(f"{node.name}/axis", np.int32(0))
        attrs = {"Tparams": node.attr["dtype"], "Tindices": node.attr["Tindices"]}
        return [axis, operation(node.name, "GatherV2", [*node.input, f"{axis.name}:0"], **attrs, Taxis=tf.int32)]
    if node.op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        return _batch_norm(node)
    if node.op == "LeakyRelu":
        return _leaky_relu(node, idioms)
    return [node]


def _leaky_relu(node: Any, idioms: dict[str, Idiom]) -> list[Any]:
    """The slope as a number of its own: the operation keeps it in float32."""
    x, name = node.input[0], node.name
    slope = float(said(np.asarray(node.attr["alpha"].f, np.float32)))
    idioms[f"{name}:0"] = Idiom(word("leaky_relu")(negative_slope=slope), x)
    zero, by = constant(f"{name}/zero", 0.0), constant(f"{name}/slope", slope)
    chosen = [f"{name}/test:0", x, f"{name}/scaled:0"]
    return [
        zero,
        by,
        operation(f"{name}/test", "Greater", [x, f"{zero.name}:0"], T=tf.float64),
        operation(f"{name}/scaled", "Mul", [x, f"{by.name}:0"], T=tf.float64),
        operation(name, "SelectV2", chosen, T=tf.float64),
    ]


def _batch_norm(node: Any) -> list[Any]:
    """Batch norm by its statistics, which TensorFlow has in float32 alone, by its formula."""
    if node.attr["is_training"].b:
        raise PortError(f"batch norm in inference, got {node.name} in training; port the function for training=False")
    if node.attr["data_format"].s not in (b"NHWC", b""):
        raise PortError(f"channels last, got {node.name} with {node.attr['data_format'].s.decode()}")
    x, scale, bias, mean, var = node.input
    name = node.name
    epsilon = constant(f"{name}/epsilon", np.float32(node.attr["epsilon"].f))
    two = lambda part, op, a, b: operation(f"{name}/{part}", op, [a, b], T=tf.float32)
    at = lambda part: f"{name}/{part}:0"
    return [
        epsilon,
        two("add", "AddV2", var, at("epsilon")),
        operation(f"{name}/rsqrt", "Rsqrt", [at("add")], T=tf.float32),
        two("inv", "Mul", at("rsqrt"), scale),
        two("scaled", "Mul", x, at("inv")),
        two("moved", "Mul", mean, at("inv")),
        two("shift", "Sub", bias, at("moved")),
        operation(name, "AddV2", [at("scaled"), at("shift")], T=tf.float32),
    ]
