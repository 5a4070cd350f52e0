"""From the trace of a Flax module to layers: modules with a rule stay whole, the rest is JAX."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from compose.core.errors import PortError
from compose.port.frontends.flax.leaf_modules import Call, Recorder, opens
from compose.port.frontends.flax.registry import class_rule
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.inlining import Eqn, Flat
from compose.port.frontends.jax.lower import JaxLowering, inside
from compose.port.frontends.jax.port import Refused
from compose.port.frontends.jax.values import Weight
from compose.port.lowering.base import Place


class FlaxLowering(JaxLowering):
    """The lowering of one module.

    Attributes:
        opened: the places of modules that are read by their operations, since their rules refuse an option.
        call: that of the module which a rule lowers.
        path: the modules around it, and their classes.
        weights: of a module that is kept whole, by name below it.
    """

    framework = "flax"
    example = "'jax.name') or @compose.port.rule(TheModule"

    def __init__(self, model: Any, inputs: list, apart: frozenset[str], opened: frozenset[tuple[str, ...]]):
        super().__init__(model, inputs, apart)
        self.opened = opened
        self.recorder = Recorder(opened=opened)
        self.call: Call
        self.path: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.weights: dict[str, Any] = {}

    def place(self) -> Place:
        return Place(*self.path, self.line())

    def location(self) -> str:
        return f"in {'/'.join(self.path[0]) or self.model.name}, at {self.line()}"

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
        seen, specs = Recorder(opened=self.opened), self.specs([x.shape for x in self.examples])
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

    def outputs_of(self, arrays: dict[str, Any], inputs: list) -> Any:
        return self.model.run(arrays, inputs, seen=self.recorder)[0]

    def held(self, flat: Flat, names: Sequence[str]) -> dict[str, dict[tuple[str, ...], bool]]:
        held: dict[str, dict[tuple[str, ...], bool]] = {}
        for eqn in inside(flat.eqns):
            if eqn.name == "flax_module":
                call = self.recorder.calls[eqn.params["call"]]
                for name in (n for v, n in zip(flat.inputs, names) if any(v is x for x in eqn.inputs)):
                    held.setdefault(name, {})[call.path] = opens(call.module)
        return held

    def begin_trace(self) -> None:
        self.recorder = Recorder(opened=self.opened)

    def enter(self, eqn: Eqn) -> None:
        super().enter(eqn)
        self.path = self.recorder.scopes[eqn.scope] if eqn.scope >= 0 else ((), ())

    def results_of(self, eqn: Eqn, given: list) -> list | None:
        return self._module(given) if eqn.name == "flax_module" else super().results_of(eqn, given)

    def _module(self, given: list) -> list:
        call = self.recorder.calls[self.eqn.params["call"]]
        self.path, self.call = (call.path, call.classes), call
        self.weights = dict(zip(call.names, given))
        rest = (filled(self, x) if isinstance(x, Weight) else x for x in given[len(call.names) :])  # learned inputs
        leaves = [call.fixed[i] if i in call.fixed else next(rest) for i in range(call.args.num_leaves)]
        args, kwargs = jax.tree.unflatten(call.args, leaves)
        rule: Any = class_rule(type(call.module))
        try:
            out = rule(self, call.module, *args, **{k: v for k, v in kwargs.items() if v is not None})
        except PortError as e:
            if not opens(call.module):
                raise
            with self.located():  # what the rule says stays the error, if the operations have no rules either
                raise Refused(call.path, e) from e
        return jax.tree.leaves(out)
