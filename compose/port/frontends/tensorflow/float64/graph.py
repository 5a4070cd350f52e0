"""The graph in float64 and without side effects: variables become inputs, batch norm becomes arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef  # pyright: ignore[reportAttributeAccessIssue]

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.capture import Captured
from compose.port.frontends.tensorflow.control_flow import settle
from compose.port.frontends.tensorflow.float64.batch_norm import FUSED, batch_norm
from compose.port.frontends.tensorflow.float64.channels_first import channels_last, first
from compose.port.frontends.tensorflow.float64.dilated_conv import is_dilated, undilated
from compose.port.frontends.tensorflow.float64.formulas import NARROW, between_casts, by_formula
from compose.port.frontends.tensorflow.float64.nodes import constant, operation, placeholder, said, wide_type, widened
from compose.port.frontends.tensorflow.inlining import Flat, Update, needed
from compose.port.frontends.tensorflow.passes.dropout import without_draws
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.passes.loops import Loop, loops


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
        updates: for the names of variables that are assigned the tensors of their new values.
        loops: those that were written out.
    """

    graph: Any
    inputs: tuple[str, ...]
    weights: dict[str, str]
    outputs: tuple[str, ...]
    idioms: dict[str, Idiom]
    batch: int
    updates: dict[str, str] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()

    def imported(self) -> tf.Graph:
        """As a graph of TensorFlow; raises `PortError` where an operation has no form in float64."""
        made = tf.Graph()
        try:
            with made.as_default():
                tf.graph_util.import_graph_def(self.graph, name="")
        except ValueError as e:
            raise PortError(f"operations that TensorFlow has in float64: {e}") from e
        return made


def exact(captured: Captured, shapes: list[tuple[int, ...]], assigned: Iterable[str] = ()) -> Exact:
    """The captured graph in float64, for inputs of these shapes.

    Args:
        assigned: the names of variables whose new values are wanted too.
    """
    given = {}
    for i, ((tensor, (dtype, _)), shape) in enumerate(zip(captured.inputs.items(), shapes, strict=True)):
        given[tensor] = placeholder(f"compose_input_{i}", dtype.as_datatype_enum, shape)
    inputs = [node.name for node in given.values()]
    for i, (tensor, value) in enumerate(captured.constants.items()):
        given[tensor] = constant(f"compose_constant_{i}", value, wide=False)
    flat = Flat(captured.graph, given)
    settle(flat, [*captured.outputs])
    updates = _wanted(flat, captured, set(assigned))
    ends = [flat.settled(o) for o in captured.outputs]
    nodes = flat.order([*ends, *(i for u in updates for i in u.node.input)])
    flat.check_order(nodes, updates)
    made: dict[str, Any] = {}
    weights: dict[str, str] = {}
    stands: dict[str, str] = {}
    news: dict[str, str] = {}
    idioms: dict[str, Idiom] = {}
    for node in nodes:
        variable = captured.variables.get(node.name)
        if variable is not None:
            weights[node.name] = variable.name
            dtype = wide_type(tf.as_dtype(variable.array.dtype).as_datatype_enum)
            made[node.name] = placeholder(node.name, dtype, variable.array.shape)
        else:
            parts, more = channels_last(node) if first(node) else ([node], {})
            stands.update(more)
            made.update({new.name: new for part in parts for new in _pure(part, idioms, stands)})
    for update in updates:
        new, tensor = _new(update)
        made.update({n.name: widened(n) for n in new})
        news[captured.variables[update.variable.rpartition(":")[0]].name] = tensor
    for name in inputs:
        made.setdefault(name, widened(flat.nodes[name]))
    stands = {name: _last(name, stands) for name in stands}
    for node in made.values():
        reads = [stands.get(i, i) for i in node.input]
        del node.input[:]
        node.input.extend(reads)
    ends = [stands.get(o, o) for o in ends]
    news = {name: stands.get(o, o) for name, o in news.items()}
    kept = without_draws(needed(made, [*ends, *news.values()]), idioms)
    order = needed({node.name: node for node in kept}, [*ends, *news.values()])
    here = {node.name for node in order}
    graph = GraphDef(node=[*(made[name] for name in inputs if name not in here), *order])
    graph.versions.CopyFrom(captured.graph.versions)
    found = Exact(
        graph, tuple(inputs), {k: v for k, v in weights.items() if k in here}, tuple(ends), idioms,
        shapes[0][0] if shapes and shapes[0] else 1, news,
        tuple(loops(flat, lambda tensor: stands.get(flat.settled(tensor), flat.settled(tensor)))),
    )  # fmt: skip
    if any(node.op in NARROW for node in order):
        found = replace(found, graph=by_formula(found.imported(), found.graph, idioms))
    if any(is_dilated(node) for node in order):
        found = replace(found, graph=undilated(found.imported(), found.graph, idioms))
    here = {node.name for node in found.graph.node}
    turns = tuple(inner for loop in found.loops if (inner := loop.within(here)) is not None)
    return replace(found, loops=turns, idioms={k: v for k, v in idioms.items() if k.rpartition(":")[0] in here})


def _last(name: str, stands: dict[str, str]) -> str:
    while name in stands:
        name = stands[name]
    return name


def _wanted(flat: Flat, captured: Captured, assigned: set[str]) -> list[Update]:
    """The assignments to these variables. Raises `PortError` for a second one to the same."""
    if not assigned:
        return []
    made: dict[str, Update] = {}
    for update in flat.updates(captured.outputs, captured.updates):
        variable = captured.variables.get(update.variable.rpartition(":")[0])
        if variable is None or variable.name not in assigned:
            continue
        if made.setdefault(variable.name, update) is not update:
            raise PortError(f"each variable assigned once in training, got {variable.name} twice")
    return list(made.values())


def _new(update: Update) -> tuple[list[Any], str]:
    """The nodes of a variable's new value, and its tensor."""
    kind = {"Sub": "Sub", "Add": "AddV2"}.get(update.node.op.removeprefix("Assign").removesuffix("VariableOp"))
    if kind is None:
        return [], update.given
    name = f"{update.node.name}/new"
    return [operation(name, kind, [update.variable, update.given], T=tf.float32)], f"{name}:0"


def _pure(node: Any, idioms: dict[str, Idiom], stands: dict[str, str]) -> list[Any]:
    """A node, or several, that compute in float64, and of a variable's value what this one does of the variable."""
    if node.op in NARROW:
        return between_casts(node)
    made = [node]
    if node.op == "ReadVariableOp":
        made = [operation(node.name, "Identity", node.input[:1], T=node.attr["dtype"])]
    elif node.op == "ResourceGather":
        axis = constant(f"{node.name}/axis", np.int32(0))
        attrs = {"Tparams": node.attr["dtype"], "Tindices": node.attr["Tindices"]}
        made = [axis, operation(node.name, "GatherV2", [*node.input, f"{axis.name}:0"], **attrs, Taxis=tf.int32)]
    elif node.op in FUSED:
        made, more = batch_norm(node)
        stands.update(more)
    elif node.op == "LeakyRelu":
        made = _leaky_relu(node, idioms)
    return [widened(new) for new in made]


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
