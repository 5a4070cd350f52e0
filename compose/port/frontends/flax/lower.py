"""From the trace of a Flax module to layers: operation by operation, known modules and functions whole."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.layer import as_layer
from compose.core.registry import word
from compose.port.frontends.flax.inlining import Eqn, Flat, Var, user_line
from compose.port.frontends.flax.leaf_modules import Call, Recorder
from compose.port.frontends.flax.passes.functions import Match, found
from compose.port.frontends.flax.values import Value, Weight
from compose.port.ir.graph import Op, Saved, SourceGraph
from compose.port.ir.weights import Take
from compose.port.lowering.registry import class_rule, named_rule

_PRIMES = (53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163)


class Lowering:
    """The state of one lowering; rules call `emit`.

    Attributes:
        batch: the size that stands for the batch: a prime that no array has.
        eqn: the operation being lowered.
    """

    def __init__(self, model: Any, inputs: list[np.ndarray]):
        self.model, self.examples = model, inputs
        self.ops: list[Op] = []
        self.count = 0
        self.missing: list[tuple[str, str]] = []
        self.recorder = Recorder()
        self.env: dict[Var, Any] = {}
        self.eqn: Any = None
        self.path: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def run(self) -> SourceGraph:
        """Trace the model and lower what it does."""
        flat, out_tree = self._traced()
        self.makers = {v: e for e in flat.eqns for v in e.outputs}
        self.uses: dict[Var, int] = {}
        names = list(self.model.arrays)
        for var, name in zip(flat.inputs, names):
            self.env[var] = Weight.whole(name, var.shape)
        inputs = [Value(self._number(), v.shape, v.dtype) for v in flat.inputs[len(names) :]]
        self.env.update(zip(flat.inputs[len(names) :], inputs))
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

    # What rules use.

    def emit(self, layer: Any, *inputs: Value, weights: Any = None, state: Any = None, shape: Any = None) -> Value:
        """Apply a layer: a new value, shaped as the operation's output unless told."""
        for value in inputs:
            if not isinstance(value, Value):
                raise PortError(f"values that depend on the input as inputs of {layer}, got {type(value).__name__}")
        out = self.eqn.outputs[0]
        made = Value(self._number(), out.shape if shape is None else tuple(shape), out.dtype)
        takes = lambda tree: {k: _take(w) for k, w in (tree or {}).items() if w is not None}
        reads = tuple(v.index for v in inputs)
        names, classes = self.path
        given = [t for w in takes(weights).values() for t in (w if isinstance(w, tuple) else (w,))]
        if given and not any(t.source in self.model.trained for t in given) and not isinstance(layer, word("frozen")):
            layer = word("frozen")(as_layer(layer))
        op = Op(as_layer(layer), reads, made.index, takes(weights), takes(state), names, classes, self.line())
        self.ops.append(op)
        return made

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

    def alone(self, position: int) -> bool:
        """Whether nothing else reads one of the inputs."""
        return self.uses.get(self.eqn.inputs[position], 0) == 1

    # The walk.

    def _traced(self) -> tuple[Flat, Any]:
        sizes = {n for a in (*self.model.arrays.values(), *self.examples) for n in a.shape}
        self.batch = next(p for p in _PRIMES if p not in sizes)
        lead = self.examples[0].shape[:1]
        resized = [x.shape if x.shape[:1] != lead else (self.batch, *x.shape[1:]) for x in self.examples]
        try:
            return self._trace(resized)
        except Exception:
            self.batch, self.recorder = lead[0] if lead else 1, Recorder()
            try:
                return self._trace([x.shape for x in self.examples])
            except Exception as e:
                first = next(iter(str(e).strip().splitlines()), "")
                raise PortError(f"a module that JAX can trace, got {type(e).__name__}: {first}") from e

    def _trace(self, shapes: list) -> tuple[Flat, Any]:
        out_tree: Any = None
        wide = lambda a: np.float64 if np.issubdtype(a.dtype, np.floating) else a.dtype

        def run(arrays, inputs):
            nonlocal out_tree
            out = self.model.run(dict(zip(self.model.arrays, arrays)), inputs, seen=self.recorder)[0]
            leaves, out_tree = jax.tree.flatten(out)
            return leaves

        with jax.enable_x64(True):
            arrays = [jax.ShapeDtypeStruct(a.shape, wide(a)) for a in self.model.arrays.values()]
            given = [jax.ShapeDtypeStruct(s, wide(x)) for s, x in zip(shapes, self.examples)]
            return Flat(jax.make_jaxpr(run)(arrays, given), len(arrays)), out_tree

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
        with self._located():
            if match is not None:
                made = [self.emit(match.layer, *(self.env[v] for v in match.inputs))]
            elif eqn.name == "flax_module":
                made = self._whole(self.recorder.calls[eqn.params["call"]])
            else:
                rule = named_rule(f"jax.{eqn.name}")
                if rule is None:
                    return self._lacks(f"jax.{eqn.name}")
                out = rule(self, eqn, *map(self.value, eqn.inputs))
                made = list(out) if isinstance(out, (tuple, list)) else [out]
            for var, value in zip(eqn.outputs, made, strict=True):
                shaped = isinstance(value, Value)
                self.env[var] = replace(value, shape=var.shape, dtype=var.dtype) if shaped else value

    def _whole(self, call: Call) -> list:
        self.path = call.path, call.classes
        given = [self.value(v) for v in self.eqn.inputs]
        self.weights = dict(zip(call.names, given))
        rest = iter(given[len(call.names) :])
        leaves = [call.fixed[i] if i in call.fixed else next(rest) for i in range(call.args.num_leaves)]
        args, kwargs = jax.tree.unflatten(call.args, leaves)
        rule: Any = class_rule(type(call.module))
        out = rule(self, call.module, *args, **{k: v for k, v in kwargs.items() if v is not None})
        return jax.tree.leaves(out)

    def _lacks(self, what: str) -> None:
        self.missing.append((what, self.line() or "/".join(self.path[0])))
        for var in self.eqn.outputs:
            self.env[var] = Value(self._number(), var.shape, var.dtype)

    @contextlib.contextmanager
    def _located(self):
        try:
            yield
        except ComposeError as e:
            e.add_note(f"in {'/'.join(self.path[0]) or self.model.name}, at {self.line()}")
            raise

    def _output(self, var: Any) -> int:
        value = self.value(var)
        if not isinstance(value, Value):
            raise PortError("outputs that depend on the input, got a constant or a weight")
        return value.index

    def _number(self) -> int:
        self.count += 1
        return self.count - 1


def _take(weight: Any) -> Any:
    if isinstance(weight, (list, tuple)):
        return tuple(_take(w) for w in weight)
    if isinstance(weight, Weight):
        if weight.shape != weight.own:
            raise PortError(f"a weight of one shape, got {weight.take.source} spread to {weight.shape}")
        return weight.take
    if isinstance(weight, Take):
        return weight
    raise PortError(f"a weight of the model, got {type(weight).__name__}: it is computed from others")
