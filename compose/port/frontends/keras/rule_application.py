"""What rules make of the nodes of a Keras model; where one has no rule, what its call or JAX's operations make."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.core.warning import warn
from compose.port.frontends.keras.as_value import as_value
from compose.port.frontends.keras.constant_folding import known_result
from compose.port.frontends.keras.inlining import is_custom, traced
from compose.port.frontends.keras.options import check_options
from compose.port.frontends.keras.registry import class_rule, named_rule
from compose.port.frontends.keras.resized import resized
from compose.port.frontends.keras.through_jax import through_jax
from compose.port.ir.weights import View
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.repeated import Repeating
from compose.port.lowering.unsupported import NoValue
from compose.port.lowering.values import BATCH, BroadcastWeight, GraphValue


class RuleApplication(Repeating[GraphValue]):
    """The lowering of single nodes by their rules.

    Attributes:
        variables, names: the model's variables by name, and their names by `id`.
        path: the layers around the node, each with its class.
        node: the node that is being lowered.
        masks: for each node by `id`, its keyword arguments with the masks of its values.
        apart: the weights that are read as they are, each by one `parameter`.
        known: whether a model within this one is read for the lengths of what it is given, where it leaves them open.
    """

    def __init__(self, apart: frozenset[str], known: bool) -> None:
        super().__init__()
        self.apart, self.known = apart, known
        self.variables: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self.path: tuple[tuple[str, str], ...] = ()
        self.node: Any = None
        self.masks: dict[int, Any] = {}

    def _model(self, model: Any, inputs: Sequence[GraphValue]) -> list[GraphValue]:
        """The outputs of a functional model within this one."""
        raise NotImplementedError

    def location(self) -> str:
        return f"in the Keras layer {self._at()}"

    def has_batch(self, x: GraphValue) -> bool:
        return x.shape[:1] in ((None,), (BATCH,))

    @property
    def of_whole_numbers(self) -> bool:
        return "int" in str(self.node.output_tensors[0].dtype)

    def plain(self, x: Any) -> float:
        """A number of the kind that the operation gives."""
        return int(x) if self.of_whole_numbers else float(x)

    def beside(self, known: Any, x: GraphValue) -> GraphValue:
        return as_value(self, known.astype(np.int64) if isinstance(known, np.ndarray) else known)

    def pair(self, operation: str, a: GraphValue, b: GraphValue) -> GraphValue:
        return super().pair(operation, *self.unrepeated(a, b))

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
        if weight is not None:
            return weight
        array = np.asarray(keras.ops.convert_to_numpy(value), np.float64)
        same = array.shape[:1] == (BATCH,) and bool((array == array[:1]).all())
        return np.broadcast_to(array[:1], array.shape) if same else array

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
            given = keras.tree.flatten(args)
            if self.known and all(isinstance(v, GraphValue) for v in given):
                inner = resized(inner, [(t.shape[0], *v.shape[1:]) for t, v in zip(inner.inputs, given)])
            return self._model(inner, given)
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
                    return self._unknown(f"{family}.{type(op).__name__}", node, str(e).partition("\n")[0])
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
        if len(self.missing) > missing:
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
            if masked and "mask" not in self.keywords(node):
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
