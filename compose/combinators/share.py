"""Weight sharing: one layer used in several places."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax

from compose.core.context import Context
from compose.core.errors import ConfigError, LayerError, ShapeError, shape_text
from compose.core.layer import Layer, as_layer, keys_of, layer, unlisted
from compose.core.plan import Plan, plan, planning, specs
from compose.core.printing import Writer, free_name


@layer
class share(Layer):
    """`share(f, lambda e: body)`: every `e` in the body is `f` with the same parameters.

    Sharing is lexical: equal layers elsewhere do not share. `e.attend` is another method of `f` on the same
    parameters, such as an embedding's output projection (Press & Wolf, 2016). Parameters: those of `f` and
    those of the body, each under its own key.

    Shapes: those of the body. Elsewhere: a module called twice; Keras `ReversibleEmbedding` for an embedding and its
    output.

    >>> from compose import compose_seq, embedding, fc, share
    >>> share(embedding(100, 8), lambda e: compose_seq(e, fc(8), e.attend))
    share(embedding(100, 8), lambda e: compose_seq(e, fc(8), e.attend))
    """

    shared: Layer
    body: Layer

    def __init__(self, shared: Any, body: Layer | Callable, name: str | None = None):
        if not isinstance(body, Layer):
            hole = Hole()
            body = _bind(as_layer(body(hole)), hole, 0)
        for key, value in (("shared", shared), ("body", body), ("name", name)):
            object.__setattr__(self, key, value)
        self.__post_init__()

    def validate(self) -> None:
        keys_of((self.shared, self.body))

    def children(self):
        both = (self.shared, self.body)
        return tuple(zip(keys_of(both), both))

    def with_children(self, layers):
        return self.but(shared=layers[0], body=layers[1])

    def plan(self, x, scope: tuple = ()) -> Plan:
        (key, _), (body_key, _) = self.children()
        cell = Cell(self.shared, scope)
        try:
            body = plan(self.body, x, (*scope, cell))
        except LayerError as e:
            raise e.enter(body_key, (("input", x),))
        if cell.plan is None:
            raise ConfigError("a body that uses the shared layer", str(self)).locate(self)
        parts = ((key, cell.plan), (body_key, body))
        params = {k: p.params for k, p in parts if p.params}
        state = {k: p.state for k, p in parts if p.state}
        return Plan(self, x, body.out, params, state, parts)

    def call(self, params, state, x, ctx: Context):
        (key, _), (body_key, _) = self.children()
        cell = Cell(self.shared, ctx.scope, params.get(key, {}), state.get(key, {}))
        inner = ctx.but(scope=(*ctx.scope, cell))
        y, after = inner.call(body_key, self.body, params, state, x)
        return y, {k: v for k, v in ((key, cell.state), (body_key, after)) if v}

    def source(self, write):
        name = free_name("e" if not write.names else f"e{len(write.names)}")
        inner = Writer((*write.names, name))
        args = [write.value(self.shared), (f"lambda {name}: ", inner.value(self.body))]
        return write.call("share", args + ([("name", write.value(self.name))] if self.name else []))


@dataclass
class Cell:
    """The shared layer of one `share` while it is planned or traced; its state is passed from use to use."""

    layer: Layer
    scope: tuple
    params: Any = None
    state: Any = field(default_factory=dict)
    plan: Plan | None = None
    first: Any = None


@unlisted
class Shared(Layer):
    """A use of the layer of the `index`-th enclosing `share`, or of one of its methods."""

    index: int
    method: str | None = None

    refers = True

    @property
    def kind(self) -> str:
        return self.method or "shared"

    def method_named(self, name: str) -> Layer:
        """A use of a method defined by the shared layer's class, not by `Layer`. Raises `ConfigError`."""
        if self.method or name.startswith("_") or hasattr(Layer, name):
            raise ConfigError("a method defined by the shared layer's class, such as e.attend", f".{name}")
        return self.with_method(name)

    def with_method(self, name: str) -> Layer:
        return self.but(method=name)

    def plan(self, x, scope: tuple = ()) -> Plan:
        if self.index >= len(scope):
            raise ConfigError("a use inside its own share()").locate(self)
        cell = scope[-1 - self.index]
        if self.method is not None:
            return Plan(self, x, self._method_out(cell, x), {}, {})
        if cell.plan is not None and cell.plan.x == x:  # nested shares would plan twice as often per level
            return Plan(self, x, cell.plan.out, {}, {}, (("", cell.plan),))
        use = plan(cell.layer, x, cell.scope)
        if cell.plan is None:
            cell.plan = use
        elif (use.params, use.state) != (cell.plan.params, cell.plan.state):
            raise ShapeError(
                "an input for which the shared layer has the same parameters as for its first use, "
                f"{shape_text(cell.plan.x)}",
                shape_text(x),
            ).locate(cell.layer)
        return Plan(self, x, use.out, {}, {}, (("", use),))

    def call(self, params, state, x, ctx: Context):
        cell = ctx.scope[-1 - self.index]
        if self.method is not None:
            return getattr(cell.layer, self.method)(cell.params, x, ctx), state
        y, after = cell.layer.call(cell.params, cell.state, x, ctx.but(scope=cell.scope))
        if not all(map(operator.is_, jax.tree.leaves(after), jax.tree.leaves(cell.state))):
            if len(cell.scope) < ctx.looped:
                raise ConfigError(
                    "a shared layer without trained state inside repeat, recurrent or remat",
                    str(cell.layer),
                    "share inside the loop",
                ).locate(cell.layer, path=ctx.path)
            cell.state = after
        return y, state

    def _method_out(self, cell: Cell, x):
        method = getattr(cell.layer, self.method or "", None)
        if not inspect.ismethod(method):
            raise ConfigError(f"a method of {cell.layer}", f".{self.method}").locate(cell.layer)
        if cell.plan is None:
            raise ConfigError(f"a use of {cell.layer} before .{self.method}").locate(cell.layer)
        return specs(jax.eval_shape(lambda p, x: method(p, x, planning()), cell.plan.param_specs(), x))

    def source(self, write):
        name = write.names[-1 - self.index] if self.index < len(write.names) else f"<shared {self.index}>"
        text = f"{name}.{self.method}" if self.method else name
        return write.call("named", [write.value(self.name), text]) if self.name else text


class Hole(Shared):
    """A placeholder for the shared layer while the lambda runs."""

    def __init__(self, origin: Hole | None = None, method: str | None = None):
        for key, value in (("index", 0), ("method", method), ("name", None), ("origin", origin or self)):
            object.__setattr__(self, key, value)
        self.__post_init__()

    def with_method(self, name: str) -> Layer:
        return Hole(self.origin, name)

    def but(self, **changes):
        new = super().but(**changes)
        object.__setattr__(new, "origin", self.origin)
        return new

    def __getattr__(self, name: str) -> Any:
        optional = ("origin", "validate", "wraps", "positions", "trains")  # attributes that layers may lack
        if name.startswith("_") or name in optional:
            raise AttributeError(name)
        return self.method_named(name)

    def __hash__(self) -> int:
        return hash((id(self.origin), self.method, self.name))

    def __eq__(self, other) -> bool:
        same = isinstance(other, Hole) and other.origin is self.origin
        return same and (other.method, other.name) == (self.method, self.name)


def _bind(body: Layer, hole: Hole, depth: int) -> Layer:
    """Replace the hole in `body` by an index: the number of `share`s between the use and its own `share`."""
    if isinstance(body, Hole):
        return Shared(depth, body.method, name=body.name) if body.origin is hole else body
    old = [child for _, child in body.children()]
    deeper = [depth + (isinstance(body, share) and i == 1) for i in range(len(old))]
    new = [_bind(child, hole, d) for child, d in zip(old, deeper)]
    return body if all(a is b for a, b in zip(old, new)) else body.with_children(tuple(new))
