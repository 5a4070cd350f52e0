"""From the trace of a function to layers, operation by operation; functions that a jaxpr writes out are recognised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.batch import follow_batch
from compose.port.frontends.jax.each_example import filled, unchanged
from compose.port.frontends.jax.inlining import Eqn, Flat, Var, Way
from compose.port.frontends.jax.limits import limits_of_float32
from compose.port.frontends.jax.operands import Operands
from compose.port.frontends.jax.passes.functions import Match, found
from compose.port.frontends.jax.registry import named_rule
from compose.port.frontends.jax.values import Derived, Value, Weight, Within
from compose.port.ir.graph import Op, Saved, SourceGraph
from compose.port.ir.weights import View
from compose.port.lowering.base import Place
from compose.port.lowering.unread import unread_parts

_PRIMES = (53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163)
_PARTS = (1, 2, 12)  # a batch that is split needs a size that can be
_MOVES = {
    "transpose", "reshape", "broadcast_in_dim", "tile", "squeeze", "expand_dims", "slice", "convert_element_type",
    "copy", "copy_p", "reduce_precision", "optimization_barrier", "flax_module",
}  # fmt: skip


class JaxLowering(Operands):
    """The lowering of one function of named arrays and inputs.

    Attributes:
        sized: whether the function takes batches of the examples' size alone.
        apart: the weights that are read as they are, each by one `parameter`.
        holders: for weights of modules that are kept whole, the places of these modules and whether they can be opened.
    """

    framework: ClassVar[str] = "jax"
    example = "'jax.name'"

    def __init__(self, model: Any, inputs: list[np.ndarray], apart: frozenset[str] = frozenset()):
        super().__init__()
        self.model, self.examples = model, inputs
        self.sized, self.apart = False, apart
        self.holders: dict[str, dict[tuple[str, ...], bool]] = {}

    def run(self) -> SourceGraph:
        """Trace the function and lower what it does."""
        flat, out_tree = self._traced()
        names = list(self.model.arrays)
        weights = [Weight.stored(n, v.shape, n in self.model.trained) for v, n in zip(flat.inputs, names)]
        inputs = [Value(self.new_index(), v.shape, v.dtype) for v in flat.inputs[len(names) :]]
        self.inputs = [self._of_one_size(x) if self.sized else x for x in inputs]
        self.holders = self.held(flat, names)
        given = [self.alone(w) if n in self.apart else w for w, n in zip(weights, names)]
        leaves = [self._output(v) for v in self.lowered(flat, [*given, *self.inputs])]
        outputs = leaves[0] if len(leaves) == 1 else jax.tree.unflatten(out_tree, leaves)
        outputs = tuple(jax.tree.leaves(outputs)) if isinstance(outputs, dict) else outputs
        taken = {t.source for op in self.ops for t in op.views()}
        arrays = {n: a for n, a in self.model.arrays.items() if n in taken or n in self.model.trained}
        rest = {n: a for n, a in self.model.arrays.items() if n not in arrays}
        return SourceGraph(
            tuple(v.index for v in inputs), tuple(self.ops), outputs, arrays, self.model.name,
            (None,) * len(inputs), (None,) * len(leaves), self.unread(flat),
            Saved(self.framework, {n: n for n in names}, rest),
        )  # fmt: skip

    def unread(self, flat: Flat) -> tuple[View, ...]:
        """The trained arrays that no output needs, and the rows of others, of which layers read some alone."""
        eqns = [e for e in inside(flat.eqns) if not self.uses.keys().isdisjoint(e.outputs)]
        to_branches = [v for e in eqns if e.ways for v in e.inputs]
        arrays, unread = {}, []
        for var, (name, array) in zip(flat.inputs, self.model.arrays.items()):
            if name not in self.model.trained or any(v is var for v in flat.outputs):
                continue
            if self.uses.get(var, 0) == sum(v is var for v in to_branches):
                unread.append(View(name))
            else:
                arrays[name] = array
        return (*unread, *unread_parts(arrays, self.ops))

    def lowered(self, flat: Flat, given: Sequence[Any]) -> list:
        """The outputs of a trace whose inputs are these values, weights and constants."""
        self.env.update(zip(flat.inputs, given))
        return self._run(flat)

    def within_way(self, way: Way) -> list:
        """The outputs of one branch of a choice. No function is recognised across its ends."""
        around, self.makers = self.makers, {}
        try:
            return self._run(way)
        finally:
            self.makers = around

    def _run(self, flat: Flat | Way) -> list:
        self.makers.update({v: e for e in flat.eqns for v in e.outputs})
        for eqn, match in self._steps(flat):
            self._lower(eqn, match)
        return [self.value(v) for v in flat.outputs]

    # Hooks for front ends that have more than a trace.

    def held(self, flat: Flat, names: Sequence[str]) -> dict[str, dict[tuple[str, ...], bool]]:
        """What `holders` are for a trace, whose first inputs are the weights."""
        return {}

    def outputs_of(self, arrays: dict[str, Any], inputs: list) -> Any:
        """What is traced."""
        return self.model.run(arrays, inputs)[0]

    def begin_trace(self) -> None:
        """Forget what an earlier trace recorded."""

    def enter(self, eqn: Eqn) -> None:
        """Begin to lower an operation."""
        self.eqn = eqn

    def results_of(self, eqn: Eqn, given: list) -> list | None:
        """What the rule of an operation makes; None if it has none."""
        rule = named_rule(f"jax.{eqn.name}")
        if rule is None:
            return None
        out = rule(self, eqn, *given)
        return list(out) if isinstance(out, (tuple, list)) else [out]

    # The walk.

    def place(self) -> Place:
        return Place((), (), self.line())

    def location(self) -> str:
        return f"in {self.model.name}, at {self.line()}"

    def result(self, inputs: Sequence[Value], shape: Iterable[int] | None) -> Value:
        return Value(self.new_index(), self.shape if shape is None else tuple(shape), self.eqn.outputs[0].dtype)

    def alone(self, weight: Weight) -> Value:
        """A weight as a value from the start."""
        layer: Any = word("parameter")(*weight.shape, batch=False)
        layer = layer if weight.trained else word("frozen")(layer)
        made = Value(self.new_index(), weight.shape, np.dtype(np.float64))
        self.ops.append(Op(layer, (self.inputs[0].index,), made.index, {"value": weight.view}))
        return made

    def _of_one_size(self, x: Value) -> Value:
        """An input that must have the shape of its example, as the network then says."""
        layer = word("ensure_shape")(*x.shape)
        made = Value(self.new_index(), x.shape, x.dtype)
        self.ops.append(Op(layer, (x.index,), made.index))
        return made

    def _traced(self) -> tuple[Flat, Any]:
        """The trace for a batch of any size, or, if the function takes one size alone, for that of the examples."""
        sizes = {n for a in (*self.model.arrays.values(), *self.examples) for n in a.shape}
        lead, failure = self.examples[0].shape[:1], None
        for times in _PARTS if lead else ():
            self.batch, other = [n for p in _PRIMES if (n := p * times) not in sizes][:2]
            try:
                twin, _ = self._trace(self._resized(other))
                flat, out = self._trace(self._resized(self.batch))
            except Exception as e:
                failure = failure or e
                continue
            self.numbers = follow_batch(flat, twin, self.batch, other)
            return flat, out
        self.batch = lead[0] if lead else 1
        try:
            made = self._trace([x.shape for x in self.examples])
        except Exception as e:
            first = next(iter(str(e).strip().splitlines()), "")
            raise PortError(f"a function that JAX can trace, got {type(e).__name__}: {first}") from e
        self.sized = bool(lead)
        return made

    def _resized(self, batch: int) -> list[tuple[int, ...]]:
        """The shapes of the examples with another size of the batch."""
        lead = self.examples[0].shape[:1]
        return [x.shape if x.shape[:1] != lead else (batch, *x.shape[1:]) for x in self.examples]

    def _trace(self, shapes: list) -> tuple[Flat, Any]:
        out_tree: Any = None
        self.begin_trace()

        def run(arrays, inputs):
            nonlocal out_tree
            with limits_of_float32():
                out = self.outputs_of(dict(zip(self.model.arrays, arrays)), inputs)
            leaves, out_tree = jax.tree.flatten(out)
            return leaves

        with jax.enable_x64(True):
            return Flat(jax.make_jaxpr(run)(*self.specs(shapes)), len(self.model.arrays)), out_tree

    def specs(self, shapes: list) -> tuple[list, list]:
        """The abstract arrays of the model and its inputs, in float64."""
        wide = lambda a: np.float64 if np.issubdtype(a.dtype, np.floating) else a.dtype
        arrays = [jax.ShapeDtypeStruct(a.shape, wide(a)) for a in self.model.arrays.values()]
        return arrays, [jax.ShapeDtypeStruct(s, wide(x)) for s, x in zip(shapes, self.examples)]

    def _steps(self, flat: Flat | Way) -> list[tuple[Eqn, Match | None]]:
        """The operations that the outputs need, with the known functions that they are the ends of."""
        needed = {v for v in flat.outputs if isinstance(v, Var)}
        steps: list[tuple[Eqn, Match | None]] = []
        with jax.enable_x64(True):
            for eqn in reversed(flat.eqns):
                if needed.isdisjoint(eqn.outputs):
                    continue
                match = found(eqn, self.makers)
                steps.append((eqn, match))
                for var in match.inputs if match else eqn.inputs:
                    if isinstance(var, Var):
                        needed.add(var)
                        self.uses[var] = self.uses.get(var, 0) + 1
        for var in flat.outputs:
            if isinstance(var, Var):
                self.uses[var] = self.uses.get(var, 0) + 1
        return steps[::-1]

    def _lower(self, eqn: Eqn, match: Match | None) -> None:
        self.enter(eqn)
        with self.located():
            results = self._known(match) if match is not None else self._results(eqn)
            if results is None:
                return self._unknown(f"jax.{eqn.name}")
            for var, value in zip(eqn.outputs, results, strict=True):
                self.env[var] = value.but(shape=var.shape, dtype=var.dtype) if isinstance(value, Value) else value

    def _known(self, match: Match) -> list:
        """A function that the trace writes out, as its word."""
        given = [self.env[v] for v in match.inputs]
        like = next((v for v in given if isinstance(v, Value)), self.inputs[0])
        return [self.emit(match.layer, *(filled(self, v, like) for v in given))]

    def _results(self, eqn: Eqn) -> list | None:
        given = [self.value(v) for v in eqn.inputs]
        like = next((v for v in given if isinstance(v, (Value, Within))), None)
        like = like.value if isinstance(like, Within) else like
        if like is None and any(isinstance(v, (Weight, Derived)) for v in given):
            return self._of_weights(eqn, given)
        if like is not None:
            given = [self.emitted(v, like) if isinstance(v, Derived) else v for v in given]
        if eqn.name not in ("convert_element_type", "flax_module"):
            given = [self.as_value(v) if isinstance(v, Within) else v for v in given]
        return self.applied(eqn, given)

    def _of_weights(self, eqn: Eqn, given: list) -> list:
        """A weight in another shape, or what is computed from weights alone."""
        if eqn.name in _MOVES and not any(isinstance(v, Derived) for v in given):
            try:
                return self.results_of(eqn, given) or []
            except PortError:
                if eqn.name == "flax_module":
                    raise
        same = unchanged(eqn.name, given, self.shape)
        if same is not None:
            return [same]
        made: list = []
        return [Derived(eqn, i, given, v.shape, v.dtype, made) for i, v in enumerate(eqn.outputs)]

    def _unknown(self, operation: str) -> None:
        self.lacks(operation, self.line())
        for var in self.eqn.outputs:
            self.env[var] = Value(self.new_index(), var.shape, var.dtype)

    def _output(self, value: Any) -> int:
        return filled(self, value).index


def inside(eqns: Iterable[Eqn]) -> Iterator[Eqn]:
    """The operations, and those in the branches of choices."""
    for eqn in eqns:
        yield eqn
        for way in eqn.ways:
            yield from inside(way.eqns)
