"""From the trace of a Flax module to layers: operation by operation; modules and functions with a rule stay whole."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.batch import follow_batch
from compose.port.frontends.flax.inlining import Eqn, Flat, Var, user_line
from compose.port.frontends.flax.leaf_modules import Call, Recorder
from compose.port.frontends.flax.passes.functions import Match, found
from compose.port.frontends.flax.registry import class_rule, named_rule
from compose.port.frontends.flax.values import Value, Weight
from compose.port.ir.graph import Op, Saved, SourceGraph
from compose.port.ir.weights import Take
from compose.port.lowering.base import Place
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.values import Known

_PRIMES = (53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163)
_PARTS = (1, 2, 12)  # a batch that is split needs a size that can be


class FlaxLowering(Arithmetic[Value]):
    """The lowering of one module.

    Attributes:
        batch: the size that stands for the batch: one that no array has.
        numbers: the constants, by `id`, that are numbers which follow from the batch.
        sized: whether the module takes batches of the examples' size alone.
        inputs: the values of the inputs.
        call: that of the module which a rule lowers.
        eqn: the operation being lowered.
        path: the modules around it, and their classes.
        weights: of a module that is kept whole, by name below it.
        makers, uses: for each variable of the trace, the operation that computes it and how many read it.
    """

    dropped = frozenset({"add", "subtract", "multiply"})
    example = "'jax.name') or @compose.port.rule(TheModule"

    def __init__(self, model: Any, inputs: list[np.ndarray]):
        super().__init__()
        self.model, self.examples = model, inputs
        self.recorder = Recorder()
        self.numbers: dict[int, BatchNumber] = {}
        self.sized = False
        self.inputs: list[Value] = []
        self.call: Call
        self.env: dict[Var, Any] = {}
        self.eqn: Eqn
        self.path: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.weights: dict[str, Any] = {}
        self.makers: dict[Var, Eqn] = {}
        self.uses: dict[Var, int] = {}

    def run(self) -> SourceGraph:
        """Trace the model and lower what it does."""
        flat, out_tree = self._traced()
        self.makers = {v: e for e in flat.eqns for v in e.outputs}
        names = list(self.model.arrays)
        for var, name in zip(flat.inputs, names):
            self.env[var] = Weight.stored(name, var.shape, name in self.model.trained)
        inputs = [Value(self.new_index(), v.shape, v.dtype) for v in flat.inputs[len(names) :]]
        self.inputs = [self._of_one_size(x) if self.sized else x for x in inputs]
        self.env.update(zip(flat.inputs[len(names) :], self.inputs))
        steps = self._steps(flat)
        for eqn, match in steps:
            self._lower(eqn, match)
        leaves = [self._output(v) for v in flat.outputs]
        outputs = leaves[0] if len(leaves) == 1 else jax.tree.unflatten(out_tree, leaves)
        outputs = tuple(jax.tree.leaves(outputs)) if isinstance(outputs, dict) else outputs
        taken = {t.source for op in self.ops for t in op.takes()}
        arrays = {n: a for n, a in self.model.arrays.items() if n in taken or n in self.model.trained}
        rest = {n: a for n, a in self.model.arrays.items() if n not in arrays}
        return SourceGraph(
            tuple(v.index for v in inputs), tuple(self.ops), outputs, arrays, self.model.name,
            (None,) * len(inputs), (None,) * len(leaves), saved=Saved("flax", {n: n for n in names}, rest),
        )  # fmt: skip

    # Hooks.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.eqn.outputs[0].shape

    def place(self) -> Place:
        return Place(*self.path, self.line())

    def result(self, inputs: Sequence[Value], shape: Iterable[int] | None) -> Value:
        return Value(self.new_index(), self.shape if shape is None else tuple(shape), self.eqn.outputs[0].dtype)

    def take(self, weight: Any) -> Take | tuple[Take, ...]:
        if isinstance(weight, (list, tuple)):
            return tuple(self.take(part) for part in weight)  # pyright: ignore[reportReturnType]
        if isinstance(weight, Weight):
            if weight.shape != weight.own:
                raise PortError(f"a weight of one shape, got {weight.take.source} spread to {weight.shape}")
            return weight.take
        if isinstance(weight, Take):
            return weight
        raise PortError(f"a weight of the model, got {type(weight).__name__}: it is computed from others")

    def trains(self, weight: Any) -> bool:
        takes = self.take(weight)
        return any(t.source in self.model.trained for t in (takes if isinstance(takes, tuple) else (takes,)))

    def of_batch(self, x: Any) -> BatchNumber | None:
        return self.numbers.get(id(x))

    def batch_size(self, x: Value) -> Value:
        whole = x if x.shape[:1] == (self.batch,) else next(v for v in self.inputs if v.shape[:1] == (self.batch,))
        return self.emit(word("ops.size")(axis=0), whole, shape=())

    def is_shared(self, x: Value) -> bool:
        variables = [var for var, v in self.env.items() if isinstance(v, Value) and v.index == x.index]
        return any(self.uses.get(var, 0) > 1 for var in variables)

    def with_known(self, operation: str, x: Value, known: Known) -> Value:
        if (
            isinstance(known, Weight)
            and known.shape != x.shape
            and np.broadcast_shapes(known.shape, x.shape) != x.shape
        ):
            raise PortError(f"a weight that broadcasts to {x.shape}, got {known.shape}")
        return super().with_known(operation, x, known)

    def location(self) -> str:
        return f"in {'/'.join(self.path[0]) or self.model.name}, at {self.line()}"

    # What rules call.

    def line(self) -> str:
        """The user's file and line that made the operation."""
        return user_line(self.eqn.where)

    def maker(self, position: int) -> Eqn | None:
        """The operation that made one of the inputs."""
        var = self.eqn.inputs[position]
        return self.makers.get(var) if isinstance(var, Var) else None

    def value(self, var: Any) -> Any:
        """What is known of a value of the trace: a `Value`, a `Weight` or a constant."""
        return self.env[var] if isinstance(var, Var) else var

    def seen(self, var: Any) -> Any:
        """As `value`; None for what is inside a known function, which was lowered whole."""
        return self.env.get(var) if isinstance(var, Var) else var

    @contextlib.contextmanager
    def weights_under(self, prefix: str) -> Iterator[None]:
        """In the `with` block, `weights` are those of a module inside."""
        outer = self.weights
        self.weights = {name.removeprefix(prefix): w for name, w in outer.items() if name.startswith(prefix)}
        try:
            yield
        finally:
            self.weights = outer

    @functools.cached_property
    def fixed_norms(self) -> set[int]:
        """The calls, by `id`, of batch norms that keep their statistics in training too."""
        seen, specs = Recorder(), self._specs([x.shape for x in self.examples])
        run = lambda arrays, xs: self.model.run(dict(zip(self.model.arrays, arrays)), xs, train=True, seen=seen)[0]
        try:
            with jax.enable_x64(True):
                jax.eval_shape(run, *specs)
        except Exception:  # its training is not its call, so nothing is known about it
            return set()
        keeps: dict[tuple, list[bool]] = {}
        for call in seen.calls:
            keeps.setdefault(call.path, []).append(call.fixed_statistics)
        return {id(call) for call in self.recorder.calls if all(keeps.get(call.path, [False]))}

    # The walk.

    def _of_one_size(self, x: Value) -> Value:
        """An input that must have the shape of its example, as the network then says."""
        layer = word("ensure_shape")(*x.shape)
        made = Value(self.new_index(), x.shape, x.dtype)
        self.ops.append(Op(layer, (x.index,), made.index))
        return made

    def _traced(self) -> tuple[Flat, Any]:
        """The trace for a batch of any size, or, if the module takes one size alone, for that of the examples."""
        sizes = {n for a in (*self.model.arrays.values(), *self.examples) for n in a.shape}
        lead, failure = self.examples[0].shape[:1], None
        for times in _PARTS if lead else ():
            self.batch, other = [n for p in _PRIMES if (n := p * times) not in sizes][:2]
            try:
                twin, _ = self._trace(self._resized(other), Recorder())
                flat, out = self._trace(self._resized(self.batch), Recorder())
            except Exception as e:
                failure = failure or e
                continue
            self.numbers = follow_batch(flat, twin, self.batch, other)
            return flat, out
        self.batch = lead[0] if lead else 1
        try:
            made = self._trace([x.shape for x in self.examples], Recorder())
        except Exception as e:
            first = next(iter(str(e).strip().splitlines()), "")
            raise PortError(f"a module that JAX can trace, got {type(e).__name__}: {first}") from e
        self.sized = bool(lead)
        return made

    def _resized(self, batch: int) -> list[tuple[int, ...]]:
        """The shapes of the examples with another size of the batch."""
        lead = self.examples[0].shape[:1]
        return [x.shape if x.shape[:1] != lead else (batch, *x.shape[1:]) for x in self.examples]

    def _trace(self, shapes: list, recorder: Recorder) -> tuple[Flat, Any]:
        out_tree: Any = None
        self.recorder = recorder

        def run(arrays, inputs):
            nonlocal out_tree
            out = self.model.run(dict(zip(self.model.arrays, arrays)), inputs, seen=recorder)[0]
            leaves, out_tree = jax.tree.flatten(out)
            return leaves

        with jax.enable_x64(True):
            return Flat(jax.make_jaxpr(run)(*self._specs(shapes)), len(self.model.arrays)), out_tree

    def _specs(self, shapes: list) -> tuple[list, list]:
        """The abstract arrays of the model and its inputs, in float64."""
        wide = lambda a: np.float64 if np.issubdtype(a.dtype, np.floating) else a.dtype
        arrays = [jax.ShapeDtypeStruct(a.shape, wide(a)) for a in self.model.arrays.values()]
        return arrays, [jax.ShapeDtypeStruct(s, wide(x)) for s, x in zip(shapes, self.examples)]

    def _steps(self, flat: Flat) -> list[tuple[Eqn, Match | None]]:
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
        self.eqn = eqn
        self.path = self.recorder.scopes[eqn.scope] if eqn.scope >= 0 else ((), ())
        with self.located():
            if match is not None:
                results = [self.emit(match.layer, *(self.env[v] for v in match.inputs))]
            elif eqn.name == "flax_module":
                results = self._module(self.recorder.calls[eqn.params["call"]])
            else:
                rule = named_rule(f"jax.{eqn.name}")
                if rule is None:
                    return self._unknown(f"jax.{eqn.name}")
                out = rule(self, eqn, *map(self.value, eqn.inputs))
                results = list(out) if isinstance(out, (tuple, list)) else [out]
            for var, value in zip(eqn.outputs, results, strict=True):
                self.env[var] = value.but(shape=var.shape, dtype=var.dtype) if isinstance(value, Value) else value

    def _module(self, call: Call) -> list:
        self.path, self.call = (call.path, call.classes), call
        given = [self.value(v) for v in self.eqn.inputs]
        self.weights = dict(zip(call.names, given))
        rest = iter(given[len(call.names) :])
        leaves = [call.fixed[i] if i in call.fixed else next(rest) for i in range(call.args.num_leaves)]
        args, kwargs = jax.tree.unflatten(call.args, leaves)
        rule: Any = class_rule(type(call.module))
        out = rule(self, call.module, *args, **{k: v for k, v in kwargs.items() if v is not None})
        return jax.tree.leaves(out)

    def _unknown(self, operation: str) -> None:
        self.lacks(operation, self.line() or "/".join(self.path[0]))
        for var in self.eqn.outputs:
            self.env[var] = Value(self.new_index(), var.shape, var.dtype)

    def _output(self, var: Any) -> int:
        value = self.value(var)
        if not isinstance(value, Value):
            raise PortError("outputs that depend on the input, got a constant or a weight")
        return value.index
