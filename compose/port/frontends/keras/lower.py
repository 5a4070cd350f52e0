"""From the nodes of a Keras model to layers; nested models are inlined."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.core.warning import warn
from compose.port.frontends.keras.as_value import as_value
from compose.port.frontends.keras.constant_folding import known_result
from compose.port.frontends.keras.inlining import Known, is_custom, traced
from compose.port.frontends.keras.masks import RunMasks
from compose.port.frontends.keras.options import check_options
from compose.port.frontends.keras.registry import class_rule, named_rule
from compose.port.frontends.keras.through_jax import through_jax
from compose.port.ir.graph import Saved, SourceGraph
from compose.port.ir.weights import Constant, View
from compose.port.lowering.base import Place
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.gathered import Choice, gathered
from compose.port.lowering.unsupported import NoValue
from compose.port.lowering.values import BATCH, BroadcastWeight, GraphValue


class KerasLowering(Arithmetic[GraphValue]):
    """The lowering of one model.

    Attributes:
        variables, names: the model's variables by name, and their names by `id`.
        inputs: the values of the model's inputs.
        path: the layers around the node, each with its class.
        node: the node that is being lowered.
        within: the model whose nodes are lowered.
        masks: for each node by `id`, its keyword arguments with the masks of its values.
        apart: the weights that are read as they are, each by one `parameter`.
        alone: the values of those that were read.
        choices: the values that are taken from one of two ways, by the choice.
        idle: weights that a call leaves unread.
    """

    example = "TheLayer"

    def __init__(self, apart: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.apart = apart
        self.alone: dict[str, GraphValue] = {}
        self.choices: dict[Any, list[int]] = {}
        self.inputs: list[GraphValue] = []
        self.variables: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self.path: tuple[tuple[str, str], ...] = ()
        self.node: Any = None
        self.within: Any = None
        self.masks: dict[int, Any] = {}
        self.idle: list[View] = []

    def run(self, model: Any, name: str) -> SourceGraph:
        """Read a functional model."""
        for variable in model.variables:
            self._name(variable)
        inputs = [GraphValue(self.new_index(), tuple(t.shape)) for t in model.inputs]
        self.inputs = inputs
        outputs = [as_value(self, made).index for made in self._model(model, inputs)]
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
            tuple({t.source: t for t in self.idle if t.source not in taken}.values()),
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
        return Place(tuple(name for name, _ in self.path), tuple(cls for _, cls in self.path))

    def result(self, inputs: Sequence[GraphValue], shape: Iterable[int] | None) -> GraphValue:
        return GraphValue(self.new_index(), self.shape if shape is None else tuple(shape))

    def trains(self, weight: Any) -> bool:
        view = self.view(weight)
        return not isinstance(view, Constant) and self.variables[view.source].trainable

    def of_batch(self, x: Any) -> BatchNumber | None:
        return x if isinstance(x, BatchNumber) else None

    def batch_size(self, x: GraphValue) -> GraphValue:
        whole = x if x.shape[:1] in ((None,), (BATCH,)) else self.inputs[0]
        return self.emit(word("ops.size")(axis=0), whole, shape=())

    def is_shared(self, x: GraphValue) -> bool:
        tensor = self.node.input_tensors[0]
        return len(self.readers(tensor)) > 1 or any(tensor is output for output in self.within.outputs)

    def location(self) -> str:
        return f"in the Keras layer {self._at()}"

    # What rules call.

    def view(self, weight: Any, **steps: Any) -> View:
        """How a variable is taken, with the steps of `View`."""
        if isinstance(weight, (View, BroadcastWeight)):
            return weight.view if isinstance(weight, BroadcastWeight) else weight
        if not isinstance(weight, keras.Variable):
            raise PortError("weights as they are; merge LoRA or undo quantisation before, or take those layers out")
        return View(self._name(weight), **steps)

    def operand(self, value: Any) -> Any:
        """An operand of arithmetic: a value, a weight, an array, or a number that follows from the batch."""
        if isinstance(value, (GraphValue, BatchNumber)):
            return value
        weight = self.weight(value)
        return np.asarray(keras.ops.convert_to_numpy(value), np.float64) if weight is None else weight

    def weight(self, value: Any) -> BroadcastWeight | None:
        """A variable, possibly transposed, reshaped or broadcast; None for anything else."""
        if isinstance(value, keras.Variable):
            return BroadcastWeight.stored(self._name(value), tuple(value.shape), value.trainable)
        return value if isinstance(value, BroadcastWeight) else None

    @property
    def rank(self) -> int:
        """How many axes the first input of the operation being read has."""
        return len(self.given.shape)

    @property
    def given(self) -> Any:
        """The symbolic value or the weight that is the first input of the operation being read."""
        leaves = keras.tree.flatten((self.node.arguments.args, self.node.arguments.kwargs))
        return next(v for v in leaves if isinstance(v, (keras.KerasTensor, keras.Variable)))

    def keywords(self, node: Any) -> dict[str, Any]:
        """The keyword arguments of a call, with the masks that its values have as Keras runs."""
        return self.masks[id(node)]

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

    def _apply(self, op: Any, node: Any, read: Any) -> Any:
        known = self.keywords(node)
        if is_custom(op):
            if any(isinstance(v, keras.random.SeedGenerator) for v in vars(op).values()):
                warn(
                    f"{op.name} draws random numbers by code of its own, which is read as in inference: where it draws "
                    "in training alone, put a layer of compose in its place by @compose.port.rule"
                )
            return self._or_through_jax(lambda: self._custom(op, node, known, read), op, node, read)
        args: Any = keras.tree.map_structure(read, node.arguments.args)
        kwargs: Any = keras.tree.map_structure(read, known)
        kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
        inner = getattr(op, "_functional", None) or op
        if isinstance(op, keras.Model) and hasattr(inner, "_nodes_by_depth"):
            if "mask" in kwargs and any(getattr(layer, "_call_has_mask_arg", False) for layer in inner.layers):
                raise PortError(
                    f"masks within one model, got one that enters {op.name}: call its layers in the outer one"
                )
            return self._model(inner, keras.tree.flatten(args))
        if isinstance(op, keras.Layer) and not self.apart.isdisjoint(map(self._name, op.weights)):
            return self._or_through_jax(lambda: self._opened(op, node, known, read), op, node, read)
        if isinstance(op, keras.layers.Lambda):
            if op._fn_expects_training_arg:
                raise PortError(f"a function that is the same in training, got {op.name} with an argument of it")
            return self._or_through_jax(lambda: self._custom(op, node, known, read), op, node, read)
        family = "keras.layers" if isinstance(op, keras.Layer) else "keras.ops"
        rule = class_rule(type(op)) or named_rule(f"{family}.{type(op).__name__}")
        self.node = node
        with self.located():
            check_options(op)
            leaves = keras.tree.flatten((args, kwargs))
            if family == "keras.ops" and not any(isinstance(v, GraphValue) for v in leaves):
                return self._needing_values(lambda: known_result(self, op, args, kwargs), leaves)
            if rule is None:
                try:
                    return through_jax(self, op, node, args, kwargs)
                except Exception as e:  # also of the call itself, on inputs of another batch
                    hint = str(e).partition("\n")[0] if keras.backend.backend() == "jax" else ""
                    return self._unknown(f"{family}.{type(op).__name__}", node, hint)
            ruled = lambda: self._ruled(rule, op, args, kwargs)
            return self._needing_values(lambda: self._or_through_jax(ruled, op, node, read), leaves)

    def _needing_values(self, lower: Callable, operands: list) -> Any:
        """What a rule makes. Where it refuses, weights among its operands are read as they are, at the next try."""
        try:
            return lower()
        except NoValue:
            raise
        except PortError as e:
            weights = [w for w in map(self.weight, operands) if w is not None]
            if not weights:
                raise
            made = NoValue(str(e), *(w.view.source for w in weights))
            for note in getattr(e, "__notes__", ()):
                made.add_note(note)
            raise made from e

    def _opened(self, op: Any, node: Any, known: Any, read: Any) -> list:
        """A layer of Keras, one of whose weights is read as it is, by the operations of its call."""
        check_options(op)
        if op.non_trainable_weights and "training" in inspect.signature(op.call).parameters:
            raise PortError(f"a layer whose weights no other reads, got {op.name}, which is another one in training")
        return self._custom(op, node, known, read)

    def _custom(self, op: Any, node: Any, known: Any, read: Any) -> list:
        """A layer of the user's own, by the nodes of its call."""
        model, values = traced(op, node.arguments.args, known)
        missing = len(self.missing)
        made = self._model(model, [read(v) for v in values])
        if len(self.missing) > missing and keras.backend.backend() == "jax":
            lacks = self.missing[missing]
            del self.missing[missing:]
            raise PortError(f"operations with a rule, got {lacks.operation} at {lacks.where}")
        return made

    def _or_through_jax(self, lower: Callable, op: Any, node: Any, read: Any) -> Any:
        """What a rule makes; where it refuses, on Keras's JAX backend, what JAX's operations make."""
        start = len(self.ops)
        try:
            return lower()
        except NoValue:
            raise
        except PortError as e:
            masked = any(getattr(x, "_keras_mask", None) is not None for x in node.input_tensors)
            if keras.backend.backend() != "jax" or (masked and "mask" not in self.keywords(node)):
                raise  # the operations of JAX do not show what Keras does with the masks of values
            del self.ops[start:]
            args: Any = keras.tree.map_structure(read, node.arguments.args)
            kwargs: Any = keras.tree.map_structure(read, self.keywords(node))
            kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
            self.node = node
            try:
                return through_jax(self, op, node, args, kwargs)
            except Exception as other:  # what the rule says is the better answer
                del self.ops[start:]
                e.add_note(f"read by JAX's operations instead: {str(other).partition(chr(10))[0]}")
            raise

    def _ruled(self, rule: Callable, op: Any, args: Any, kwargs: Any) -> Any:
        if "mask" in kwargs and "mask" not in inspect.signature(rule).parameters:
            raise PortError(f"{type(op).__name__} without a mask, which has no equal here")
        with self.recorded() as emitted:
            result = rule(self, op, *args, **kwargs)
        if isinstance(op, keras.Layer) and op.weights and not op.trainable:
            for layer in emitted:
                if (layer.weights or layer.state) and not isinstance(layer.layer, word("frozen")):
                    self.replace_op(layer, layer=word("frozen")(layer.layer))
        return result

    def _unknown(self, operation: str, node: Any, hint: str = "") -> list[GraphValue]:
        self.lacks(operation, self._at(), hint)
        return [GraphValue(self.new_index(), tuple(t.shape)) for t in node.output_tensors]

    def _at(self) -> str:
        return "/".join(n for n, _ in self.path)

    def _name(self, variable: Any) -> str:
        known = self.names.get(id(variable))
        if known is None:
            known = variable.path
            while known in self.variables:
                known += "'"
            self.names[id(variable)] = known
            self.variables[known] = variable
        return known
