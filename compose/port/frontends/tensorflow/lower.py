"""From TensorFlow's operations to layers, one by one; idioms become one layer each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.analysis import Facts
from compose.port.frontends.tensorflow.capture import Captured
from compose.port.frontends.tensorflow.choices import choices
from compose.port.frontends.tensorflow.float64.graph import Exact
from compose.port.frontends.tensorflow.hints import hint
from compose.port.frontends.tensorflow.idiom_layers import IdiomLayers
from compose.port.frontends.tensorflow.operands import Operands
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.registry import named_rule
from compose.port.frontends.tensorflow.scopes import as_ours, placed, puts_channels_first, scopes
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.weights import Constant
from compose.port.lowering.base import Place
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.gathered import gathered
from compose.port.lowering.unread import unread_parts
from compose.port.lowering.unsupported import NoValue


class TensorFlowLowering(Operands):
    """The lowering of one graph.

    Attributes:
        exact, captured: the graph in float64, and as TensorFlow has it.
        inputs: the values of the inputs.
        names: for each value of a layer the operation that it was emitted for.
        op: the operation that is being lowered.
    """

    example = "'tf.Name'"

    def __init__(
        self, exact: Exact, captured: Captured, second: Exact | None = None, apart: frozenset[str] = frozenset()
    ):
        super().__init__(Facts(exact, captured, second, apart), exact.batch)
        self.exact, self.captured = exact, captured
        self.output_axes: list[tuple[int, ...] | None] = []
        self.idioms = IdiomLayers(self)
        self.inputs: list[Value] = []
        self.names: dict[int, str] = {}
        self.op: tf.Operation

    def run(self, name: str) -> SourceGraph:
        """Lower what the outputs need."""
        inputs = [self._input(node) for node in self.exact.inputs]
        self.inputs = [self._of_one_size(x) if self.facts.batch is None else x for x in inputs]
        self.env.update(zip((f"{node}:0" for node in self.exact.inputs), self.inputs))
        self.env.update(
            {t: self._alone(self.env[t]) for t, v in self.facts.variables.items() if v.name in self.facts.apart}
        )
        for op in self.facts.ops:
            self.op = op
            if op.name not in self.exact.inputs and any(t.name in self.facts.wanted for t in op.outputs):
                self._lower(op)
        leaves: list[Value] = []
        outputs = self._outputs(leaves)
        self.facts.close()
        arrays = {v.name: v.array for v in self.facts.variables.values()}
        returned = {v.index for v in leaves}
        self.settle(returned)
        self.ops = gathered(self.ops, choices(self.ops, self.names), returned, self.new_index())
        self.ops, input_axes = as_ours(self.ops, [v.index for v in inputs], returned)
        return SourceGraph(
            tuple(v.index for v in inputs), tuple(placed(self.ops)), outputs, arrays, name, input_axes,
            tuple(self.output_axes), tuple(unread_parts(arrays, self.ops)),
        )  # fmt: skip

    # Hooks.

    @property
    def shape(self) -> tuple[int, ...]:
        """The source's shape of the first output of the operation that is being lowered."""
        return self.shape_of(self.op.outputs[0])

    def result(self, inputs: Sequence[Value], shape: Iterable[int] | None, ours: Iterable[int] | None = None) -> Value:
        made = super().result(inputs, shape, ours)
        self.names[made.index] = self.op.name
        return made

    def place(self) -> Place:
        path = scopes(self.op.name)
        return Place(path, ("",) * len(path), self.captured.where(self.op.name))

    def location(self) -> str:
        return f"in {self.op.type} {self.op.name} {self.captured.where(self.op.name)}".rstrip()

    def is_shared(self, x: Value) -> bool:
        tensors = [name for name, v in self.env.items() if isinstance(v, Value) and v.index == x.index]
        return any(self.facts.uses[name] != 1 for name in tensors)

    def of_batch(self, x: Any) -> BatchNumber | None:
        return None if self.facts.batch is None else self.facts.batch.numbers.get(id(x))

    def batch_size(self, x: Value) -> Value:
        whole = self.whole(x) if self.has_batch(x) else self.inputs[0]
        return self.emit(word("ops.size")(axis=0), whole, shape=())

    def has_batch(self, x: Value) -> bool:
        return x.ours[:1] == x.shape[:1] == (self.batch,)

    def batched(self) -> Value:
        return next((x for x in self.inputs if self.has_batch(x)), self.inputs[0])

    # What rules call.

    def constant(self, tensor: tf.Tensor) -> np.ndarray:
        """The value of a tensor that depends on no data."""
        value = self.facts.constant(tensor)
        if value is None:
            raise PortError(f"{tensor.op.type} that depends on no data, got {tensor.name}")
        return value

    def shape_of(self, tensor: tf.Tensor) -> tuple[int, ...]:
        """The source's shape of a tensor."""
        return self.facts.shape(tensor)

    # The walk.

    def _lower(self, op: tf.Operation) -> None:
        idioms = self.facts.idioms
        name = op.outputs[0].name
        if name in self.facts.variables:
            return
        with self.located():
            result = self._idiom(idioms[name]) if name in idioms else self._ruled(op)
        results = result if isinstance(result, (list, tuple)) else [result]
        self.env.update({t.name: value for t, value in zip(op.outputs, results)})

    def _idiom(self, idiom: Idiom) -> Value:
        return self._unknown() if self.missing else self.idioms.emit(idiom)

    def _ruled(self, op: tf.Operation) -> Any:
        if self.facts.batch is not None:
            self.facts.batch.check(op, self.facts)
        rule = named_rule(f"tf.{op.type}")
        if rule is None:
            self.lacks(f"tf.{op.type}", self.captured.where(op.name) or op.name, hint(op.type))
        if rule is None or self.missing:  # from here on only other operations without a rule are looked for
            return [self._unknown() for _ in op.outputs]
        given = [self._argument(t) for t in op.inputs]
        try:
            return rule(self, op, *given)
        except NoValue:
            raise
        except Exception as e:  # a rule may expect that one of what it is given is a value
            variables = [w.view.source for w in given if isinstance(w, Weight) and not isinstance(w.view, Constant)]
            if not variables or not (isinstance(e, PortError) or not any(isinstance(x, Value) for x in given)):
                raise
            raise NoValue(str(e), *variables) from e  # they are read as they are, at the next try

    def _unknown(self) -> Value:
        return Value(self.new_index(), (), ())

    def _argument(self, tensor: tf.Tensor) -> Any:
        value = self.facts.constant(tensor)
        return self.env[tensor.name] if value is None else value

    def _input(self, node: str) -> Value:
        shape = self.shape_of(self.facts.graph.get_tensor_by_name(f"{node}:0"))
        value = Value(self.new_index(), shape, shape)
        self.env[f"{node}:0"] = value
        return value

    def _alone(self, weight: Weight) -> Value:
        """A variable as a value from the start."""
        layer: Any = word("parameter")(*weight.shape, batch=False)
        layer = layer if weight.trained else word("frozen")(layer)
        made = Value(self.new_index(), weight.shape, weight.shape)
        self.ops.append(Op(layer, (self.inputs[0].index,), made.index, {"value": weight.view}))
        return made

    def _of_one_size(self, x: Value) -> Value:
        """An input that must have the shape of its example, as the network then says."""
        made = Value(self.new_index(), x.shape, x.shape)
        self.ops.append(Op(word("ensure_shape")(*x.shape), (x.index,), made.index))
        return made

    def _outputs(self, leaves: list[Value]) -> Any:
        outputs = []
        for name in self.exact.outputs:
            value = self.env.get(name)
            if isinstance(value, Weight) and not isinstance(value.view, Constant):
                raise NoValue(f"outputs that are values, got a variable, {value.view.source}", value.view.source)
            if not isinstance(value, Value):
                raise PortError(f"outputs that depend on the input, got {name}")
            self.op = self.facts.graph.get_tensor_by_name(name).op
            value = value if self.missing else self.whole(value)
            before, axes = self.permutation(value) or (value, ())
            leaves.append(before if puts_channels_first(axes) else value)
            self.output_axes.append(tuple(np.argsort(axes).tolist()) if puts_channels_first(axes) else None)
            outputs.append(leaves[-1].index)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)
