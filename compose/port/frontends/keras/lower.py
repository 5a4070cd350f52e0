"""From the nodes of a Keras model to layers; nested models are inlined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.as_value import as_value
from compose.port.frontends.keras.inlining import Known
from compose.port.frontends.keras.masks import RunMasks
from compose.port.frontends.keras.rule_application import RuleApplication
from compose.port.frontends.keras.unread import unread_parts
from compose.port.ir.graph import Saved, SourceGraph
from compose.port.ir.weights import Constant
from compose.port.lowering.base import Place
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.gathered import Choice, gathered
from compose.port.lowering.values import GraphValue


class KerasLowering(RuleApplication):
    """The lowering of one model.

    Attributes:
        inputs: the values of the model's inputs.
        within: the model whose nodes are lowered.
        alone: the values of the weights that are read as they are.
        choices: the values that are taken from one of two branches, by the choice.
    """

    example = "TheLayer"

    def __init__(self, apart: frozenset[str] = frozenset(), known: bool = False) -> None:
        super().__init__(apart, known)
        self.alone: dict[str, GraphValue] = {}
        self.choices: dict[Any, list[int]] = {}
        self.inputs: list[GraphValue] = []
        self.within: Any = None

    def run(self, model: Any, name: str) -> SourceGraph:
        """Read a functional model."""
        for variable in model.variables:
            self._name(variable)
        inputs = [GraphValue(self.new_index(), tuple(t.shape)) for t in model.inputs]
        self.inputs = inputs
        outputs = [as_value(self, made).index for made in self._model(model, inputs)]
        self.settle(outputs)
        choices = [Choice(tuple(ends)) for ends in self.choices.values()]
        self.ops = gathered(self.ops, choices, set(outputs), self.new_index())
        taken = {t.source for op in self.ops for t in op.views()}
        trained = {self.names[id(v)] for v in model.trainable_variables}
        arrays = {n: keras.ops.convert_to_numpy(v.value) for n, v in self.variables.items() if n in taken | trained}
        leaves = keras.tree.flatten(model.outputs)
        made = outputs[0] if len(outputs) == 1 else tuple(outputs)
        return SourceGraph(
            tuple(value.index for value in inputs), tuple(self.ops), made, arrays, name,
            (None,) * len(inputs), (None,) * len(leaves),
            unread_parts(arrays, self.ops),
        )  # fmt: skip

    def saved(self, model: Any, arrays: dict[str, Any]) -> Saved:
        """What `model.get_weights()` gives, in its order."""
        names = [self._name(variable) for variable in model.weights]
        rest = {n: keras.ops.convert_to_numpy(self.variables[n].value) for n in names if n not in arrays}
        return Saved("keras", {n: n for n in names}, rest, frozenset(rest))

    # Hooks.

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.node.output_tensors[0].shape)

    def place(self) -> Place:
        named = self.node is None or isinstance(self.node.operation, keras.Layer)
        path = self.path if named else self.path[:-1]  # Keras counts operations, as matmul_9
        return Place(tuple(name for name, _ in path), tuple(cls for _, cls in path))

    def result(self, inputs: Sequence[GraphValue], shape: Iterable[int] | None) -> GraphValue:
        return GraphValue(self.new_index(), self.shape if shape is None else tuple(shape))

    def trains(self, weight: Any) -> bool:
        view = self.view(weight)
        return not isinstance(view, Constant) and self.variables[view.source].trainable

    def of_batch(self, x: Any) -> BatchNumber | None:
        return x if isinstance(x, BatchNumber) else None

    def batch_size(self, x: GraphValue) -> GraphValue:
        return self.emit(word("ops.size")(axis=0), x if self.has_batch(x) else self.inputs[0], shape=())

    def batched(self) -> GraphValue:
        return next((x for x in self.inputs if self.has_batch(x)), self.inputs[0])

    def is_shared(self, x: GraphValue) -> bool:
        tensor = self.node.input_tensors[0]
        return len(self.readers(tensor)) > 1 or any(tensor is output for output in self.within.outputs)

    # What rules call.

    def inside(self, layer: Any, x: GraphValue, shape: tuple) -> Any:
        """The output of a layer that another holds, for a value of this shape without the batch."""
        layer(keras.Input(shape))
        node = layer._inbound_nodes[-1]
        self.masks[id(node)] = dict(node.arguments.kwargs)
        env, outer = {id(node.input_tensors[0]): x}, self.node
        self._node(node, env)
        self.node = outer
        return env[id(node.output_tensors[0])]

    def readers(self, tensor: Any) -> list[Any]:
        """The nodes of the model being read that read a symbolic value."""
        nodes = [node for depth in self.within._nodes_by_depth.values() for node in depth]
        return [n for n in nodes if any(t is tensor for t in n.input_tensors)]

    def _model(self, model: Any, inputs: Sequence[GraphValue]) -> list[GraphValue]:
        env = dict(zip(map(id, model.inputs), inputs))
        outer, self.within = self.within, model
        self.masks |= RunMasks(model).given
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._node(node, env)
        self.within = outer
        return [env[id(t)] for t in model.outputs]

    def _node(self, node: Any, env: dict[int, Any]) -> None:
        if id(node.output_tensors[0]) in env:
            if any(node.output_tensors[0] is t for t in node.input_tensors):
                raise PortError(f"a layer that makes a value of its own, got {node.operation.name} with its input's")
            return

        def read(v: Any) -> Any:
            if not isinstance(v, keras.KerasTensor):
                return self._alone(v) if isinstance(v, keras.Variable) and self._name(v) in self.apart else v
            if id(v) not in env:  # a mask that hangs on a value, of which the model's own list knows nothing
                history = v._keras_history  # pyright: ignore[reportAttributeAccessIssue]
                hanging = history.operation._inbound_nodes[history.node_index]
                self.masks.setdefault(id(hanging), dict(hanging.arguments.kwargs))
                self._node(hanging, env)
            return env[id(v)]

        op = node.operation
        outer, self.path = self.path, (*self.path, (op.name, type(op).__name__))
        result = read(op.value) if isinstance(op, Known) else self._apply(op, node, read)
        self.path = outer
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        for tensor, value in zip(node.output_tensors, results):
            env[id(tensor)] = value.but(shape=tuple(tensor.shape)) if isinstance(value, GraphValue) else value

    def _alone(self, variable: Any) -> GraphValue:
        """A weight that is read as it is."""
        name = self._name(variable)
        if name not in self.alone:
            self.alone[name] = as_value(self, variable)
        return self.alone[name]
