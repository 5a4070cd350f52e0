"""From TensorFlow's operations to layers: one by one, but for what is known by its formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.layer import as_layer
from compose.core.registry import word
from compose.port.frontends.tensorflow.analysis import Facts
from compose.port.frontends.tensorflow.capture import Captured
from compose.port.frontends.tensorflow.control_flow import HINTS
from compose.port.frontends.tensorflow.float64.graph import Exact
from compose.port.frontends.tensorflow.passes.dropout import RANDOM
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.passes.recurrent import Recurrent
from compose.port.frontends.tensorflow.scopes import as_ours, placed, puts_channels_first, scopes
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.weights import Take
from compose.port.lowering.registry import named_rule
from compose.port.lowering.unsupported import Missing


class Lowering:
    """The state of one lowering; rules call `emit`, `constant` and `whole`."""

    def __init__(self, exact: Exact, captured: Captured):
        self.exact, self.captured = exact, captured
        self.facts = Facts(exact, captured)
        self.ops: list[Op] = []
        self.turned: dict[int, tuple[Value, tuple[int, ...]]] = {}  # of what only moved what it was, and how
        self.output_axes: list[tuple[int, ...] | None] = []
        self.runs: dict[str, Value] = {}  # of recurrent layers all their outputs
        held = self.facts.variables.items()
        self.env: dict[str, Any] = {t: Weight(Take(v.name), tuple(v.array.shape), v.trained) for t, v in held}
        self.count = 0
        self.missing: list[Missing] = []
        self.op: Any = None

    def run(self, name: str) -> SourceGraph:
        """Lower what the outputs need."""
        inputs = [self._input(node) for node in self.exact.inputs]
        for op in self.facts.ops:
            self.op = op
            if op.name not in self.exact.inputs and any(t.name in self.facts.wanted for t in op.outputs):
                self._lower(op)
        leaves: list[Value] = []
        outputs = self._outputs(leaves)
        self.facts.close()
        arrays = {v.name: v.array for v in self.facts.variables.values()}
        self.ops, input_axes = as_ours(self.ops, [v.index for v in inputs], {v.index for v in leaves})
        return SourceGraph(
            tuple(v.index for v in inputs), tuple(placed(self.ops)), outputs, arrays, name, input_axes,
            tuple(self.output_axes),
        )  # fmt: skip

    # What rules use.

    @property
    def shape(self) -> tuple[int, ...]:
        """The source's shape of the first output of the operation that is being lowered."""
        return self.shape_of(self.op.outputs[0])

    def emit(
        self, layer: Any, *inputs: Value, shape: Any = None, ours: Any = None, weights: Any = None, state: Any = None
    ) -> Value:
        """Apply a layer to values: a new one. `ours` is its shape here where that is not the source's."""
        shape = self.shape if shape is None else tuple(shape)
        made = Value(self._number(), shape, shape if ours is None else tuple(ours))
        held = {k: w for k, w in (weights or {}).items() if w is not None}
        layer = self._held(as_layer(layer), [*held.values()])
        takes = lambda tree: {k: w.take for k, w in (tree or {}).items() if w is not None}
        path = scopes(self.op.name)
        reads = tuple(v.index for v in inputs)
        where = self.captured.where(self.op.name)
        self.ops.append(Op(layer, reads, made.index, takes(held), takes(state), path, ("",) * len(path), where))
        return made

    def each(self, layer: Any, x: Any) -> Value:
        """Apply a function of each element by itself: where the axes only moved, it comes before that."""
        if isinstance(x, Value) and x.index in self.turned and x.ours == x.shape:
            before, axes = self.turned[x.index]
            return self.permuted(self.emit(layer, before, shape=before.shape), axes)
        return self.along(layer, x)

    def behind(self, *values: Value) -> tuple[list[Value], tuple[int, ...]] | None:
        """Values before their axes moved, and how, where they all moved in one way; values that did not are moved back.

        None where none of them moved, or they have other axes.
        """
        found = next((self.turned[v.index] for v in values if v.index in self.turned), None)
        if found is None or any(v.ndim != len(found[1]) for v in values):
            return None
        back = tuple(int(a) for a in np.argsort(found[1]))
        return [self.permuted(v, back) for v in values], found[1]

    def along(self, layer: Any, x: Value, weights: Any = None) -> Value:
        """Apply a layer that leaves all axes but the last alone: a reshape that waits goes on waiting."""
        if (
            not isinstance(x, Value)
            or x.ours == x.shape
            or x.ours[-1] != x.shape[-1]
            or self.shape[:-1] != x.shape[:-1]
        ):
            return self.emit(layer, self.whole(x), weights=weights)
        return self.emit(layer, x, ours=(*x.ours[:-1], self.shape[-1]), weights=weights)

    def whole(self, x: Any) -> Value:
        """A value in the source's shape."""
        if not isinstance(x, Value):
            got = f"a variable, {x.take.source}" if isinstance(x, Weight) else "a number"
            raise PortError(f"values that depend on the input, got {got}")
        return x if x.ours == x.shape else self.emit(self.reshaping(x.ours, x.shape), x, shape=x.shape)

    def reshaping(self, before: tuple[int, ...], after: tuple[int, ...]) -> Any:
        """The layer that reshapes, its batch left free."""
        batch = self.exact.batch
        if before[:1] == after[:1] == (batch,):
            flat = len(after) == 2 < len(before)
            return word("flatten") if flat else word("reshape")(*after[1:])
        free = [-1 if n % batch == 0 and batch > 1 else n for n in after]
        if free.count(-1) > 1:
            raise PortError(f"a reshape with the batch in one axis, got {before} to {after}")
        return word("reshape")(*free, batch=False)

    def permuted(self, x: Value, axes: tuple[int, ...]) -> Value:
        """A value with its axes in another order; of two such moves it is one."""
        x, axes = self.whole(x), tuple(axes)
        if x.index in self.turned:
            x, before = self.turned[x.index]
            axes = tuple(before[a] for a in axes)
        if axes == tuple(range(x.ndim)):
            return x
        made = self.emit(word("permute")(*axes), x, shape=(x.shape[a] for a in axes))
        self.turned[made.index] = x, axes
        return made

    def constant(self, tensor: Any) -> np.ndarray:
        """The value of a tensor that depends on no data."""
        value = self.facts.constant(tensor)
        if value is None:
            raise PortError(f"{tensor.op.type} that depends on no data, got {tensor.name}")
        return value

    def shape_of(self, tensor: Any) -> tuple[int, ...]:
        """The source's shape of a tensor."""
        return self.facts.shape(tensor)

    def alone(self, x: Value) -> Op | None:
        """The operation that made a value, if it is the last one emitted for it and nothing else reads it."""
        made = next((op for op in reversed(self.ops) if op.output == x.index), None)
        tensors = [name for name, v in self.env.items() if isinstance(v, Value) and v.index == x.index]
        return made if made and all(self.facts.uses[name] == 1 for name in tensors) else None

    def changed(self, old: Op, new: Op) -> None:
        """Put an operation in the place of one."""
        self.ops[self.ops.index(old)] = new

    # The walk.

    def _lower(self, op: Any) -> None:
        idioms = self.facts.idioms
        name = op.outputs[0].name
        if name in self.facts.variables:
            return
        try:
            made = self._idiom(idioms[name]) if name in idioms else self._ruled(op)
        except ComposeError as e:
            e.add_note(f"in {op.type} {op.name} {self.captured.where(op.name)}".rstrip())
            raise
        made = made if isinstance(made, (list, tuple)) else [made]
        self.env.update({t.name: value for t, value in zip(op.outputs, made)})

    def _ruled(self, op: Any) -> Any:
        fn = named_rule(f"tf.{op.type}")
        if fn is None:
            self.missing.append(Missing(f"tf.{op.type}", self.captured.where(op.name) or op.name, hint(op.type)))
            return [Value(self._number(), (), ()) for _ in op.outputs]
        if self.missing:  # what comes after may be of no use; only what has no rule is still looked for
            return [Value(self._number(), (), ()) for _ in op.outputs]
        return fn(self, op, *(self._argument(t) for t in op.inputs))

    def _argument(self, tensor: Any) -> Any:
        value = self.facts.constant(tensor)
        return self.env[tensor.name] if value is None else value

    def _idiom(self, found: Idiom) -> Any:
        if self.missing:
            return Value(self._number(), (), ())
        if isinstance(found, Recurrent):
            return self._recurrent(found)
        if found.layer.kind == "batch_norm" and not found.state:
            raise PortError(
                "batch norm whose mean and variance are averaged by assignments with one momentum, got none: port what "
                "it computes in inference, and say how it trains, as in from_tf(f, x, training={'training': True})"
            )
        x = self.env[found.x]
        of = lambda tree: {k: self._held_by(found.layer, self._array(t)) for k, t in tree.items()}
        weights, state = of(found.weights), of(found.state)
        if any(w.trained for w in state.values()):
            names = ", ".join(w.take.source for w in state.values() if w.trained)
            raise PortError(f"the mean and variance of batch norm with trainable=False, got {names}")
        if not weights and not state:
            norm = found.layer.kind.endswith("_norm") or found.layer.kind in ("logsumexp", "resize", "unit_norm")
            return self.along(found.layer, x) if norm else self.each(found.layer, x)
        return self.emit(found.layer, self.whole(x), weights=weights, state=state)

    def _recurrent(self, found: Recurrent) -> Value:
        """A recurrent layer, which has its batch first here."""
        x = self.permuted(self.whole(self.env[found.x]), (1, 0, 2))
        size = found.layer.size
        if found.sequence not in self.facts.wanted:
            before = next((op for op in self.ops if op.output == x.index and op.layer == word("flip")(axis=1)), None)
            if before is not None:
                x = x.but(index=before.inputs[0])
                found = replace(found, layer=found.layer.but(reverse=True))
            return self.emit(found.layer.but(output="last"), x, shape=(x.shape[0], size), weights=found.takes)
        if found.sequence not in self.runs:
            self.runs[found.sequence] = self.emit(found.layer, x, shape=(*x.shape[:2], size), weights=found.takes)
        every = self.runs[found.sequence]
        last = lambda: self.emit(word("at")(":, -1"), every, shape=(x.shape[0], size))
        return last() if found.last else self.permuted(every, (1, 0, 2))

    def _array(self, name: str) -> Weight:
        """A variable, or a constant in its place."""
        value = self.facts.constant(self.facts.graph.get_tensor_by_name(name))
        return self.env[name] if value is None else Weight.constant(value)

    def _held_by(self, layer: Any, weight: Weight) -> Weight:
        """A weight as the layer wants it: a kernel in its shape, what was reshaped to broadcast as it is stored."""
        if layer.kind == "depthwise_conv":
            *size, channels, multiplier = weight.shape
            return weight.reshaped((*size, 1, channels * multiplier))
        if layer.kind == "conv":
            return weight
        sizes = tuple(n for n in weight.shape if n != 1) or (1,)
        return weight if weight.shape == sizes else weight.reshaped(sizes)

    def _held(self, layer: Any, weights: list[Weight]) -> Any:
        """The layer, frozen where the source trains none of its weights."""
        trained = {w.trained for w in weights}
        if len(trained) > 1:
            raise PortError(f"all variables of {layer} with trainable=True, or none")
        return word("frozen")(layer) if trained == {False} else layer

    def _input(self, node: str) -> Value:
        shape = self.shape_of(self.facts.graph.get_tensor_by_name(f"{node}:0"))
        value = Value(self._number(), shape, shape)
        self.env[f"{node}:0"] = value
        return value

    def _outputs(self, leaves: list[Value]) -> Any:
        made = []
        for name in self.exact.outputs:
            value = self.env.get(name) if self.facts.depends[name] else None
            if not isinstance(value, Value):
                raise PortError(f"outputs that depend on the input, got {name}")
            self.op = self.facts.graph.get_tensor_by_name(name).op
            value = value if self.missing else self.whole(value)
            before, axes = self.turned.get(value.index, (value, ()))
            leaves.append(before if puts_channels_first(axes) else value)
            self.output_axes.append(tuple(np.argsort(axes).tolist()) if puts_channels_first(axes) else None)
            made.append(leaves[-1].index)
        return made[0] if len(made) == 1 else tuple(made)

    def _number(self) -> int:
        self.count += 1
        return self.count - 1


def hint(operation: str) -> str:
    """What to do about an operation that no layer can be."""
    if operation in HINTS:
        return f"control flow that depends on data is no graph of layers: {HINTS[operation]}"
    if operation == "XlaCallModule":
        return "code of JAX inside the graph, as Keras on JAX exports its models: port the model itself, by from_keras"
    if operation in RANDOM:
        return "random numbers: port the function for inference, and put the noise in as a layer"
    if operation in ("PyFunc", "EagerPyFunc", "PyFuncStateless"):
        return "Python code inside the graph: write it in TensorFlow"
    return ""
