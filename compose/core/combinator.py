"""Combinators, written as one method: `flow(x, run)` routes the data through the layers inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compose.core.context import Context
from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import Plan, plan, specs


class Combinator(Layer):
    """A layer made of layers.

    `flow(x, run)` routes the data: `run(key, layer, x)` is the output of an inner layer. The same method plans
    (on shapes) and computes (on arrays), so it does no arithmetic itself.
    """

    def flow(self, x, run: Callable[[str, Layer, Any], Any]) -> Any:
        raise NotImplementedError

    def plan(self, x, scope: tuple = ()) -> Plan:
        parts: list[tuple[str, Plan]] = []

        def run(key: str, child: Layer, x):
            try:
                part = plan(child, x, scope)
            except LayerError as e:
                raise e.enter(key, (("input", first), *((k, p.out) for k, p in parts)))
            parts.append((key, part))
            return part.out

        first = x
        out = self.flow(x, run)
        params = {k: p.params for k, p in parts if p.params}
        state = {k: p.state for k, p in parts if p.state}
        return Plan(self, first, out, params, state, tuple(parts))

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        after = dict(state)

        def run(key: str, child: Layer, x):
            y, new = ctx.call(key, child, params, state, x)
            if new:
                after[key] = new
            return y

        return self.flow(x, run), after


class Composite(Layer):
    """A layer defined by an expression: `expand(x)` returns the network that it stands for.

    It prints as its own word; its parameters are those of the expression.
    """

    draws = True  # the expression is known only for an input; set to False if it never draws

    def expand(self, x) -> Layer:
        raise NotImplementedError

    def plan(self, x, scope: tuple = ()) -> Plan:
        return plan(self.expand(x), x).within(self)

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        return self.expand(specs(x)).call(params, state, x, ctx)
