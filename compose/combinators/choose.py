"""One of two layers, by a condition that is data."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from compose.combinators.seq import Siblings
from compose.core.context import Context
from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, layer
from compose.core.plan import specs


@layer
class choose(Siblings):
    """`f(x)` where a condition holds, `g(x)` where it does not; what is not chosen is not computed.

    Shapes: `(condition, *xs)`, with one boolean for the whole batch, to the output of either layer, which must agree.
    Of one `x` each layer gets that, of several the tuple. A condition computed of a batch holds for all its examples:
    an output may depend on what else is in the batch. For a choice in each example or element, see `ops.where`; under
    `vmap` over conditions both are computed. Elsewhere: `jax.lax.cond`, `torch.cond`, ONNX `If`, Keras `ops.cond`.

    Raises `ShapeError` for a condition that is not one boolean, and for outputs that differ.
    """

    layers: tuple[Layer, ...] = ()

    def __init__(self, *layers: Any, name: str | None = None):
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "name", name)
        self.__post_init__()

    def validate(self) -> None:
        super().validate()
        if len(self.layers) != 2:
            raise ConfigError("two layers, for True and for False", f"{len(self.layers)}")

    def flow(self, x, run):
        _, inner = _split(x)
        outs = [run(key, layer, inner) for key, layer in zip(self.keys, self.layers)]
        yes, no = map(specs, outs)
        if yes != no:
            raise ShapeError("outputs of one shape and dtype", f"{shape_text(yes)} and {shape_text(no)}")
        return outs[0]

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        condition, inner = _split(x)
        if ctx.on_layer is not None:  # observed: what is inside must not be hidden in a trace of its own
            return self._both(params, state, condition, inner, ctx)
        inside = ctx.looping()

        def way(key: str, child: Layer):
            def run(operand):
                params, state, x = operand
                y, after = inside.call(key, child, params, state, x)
                return y, {**state, key: after} if after else dict(state)

            return run

        ways = [way(key, child) for key, child in zip(self.keys, self.layers)]
        return lax.cond(jnp.reshape(condition, ()), *ways, (params, dict(state), inner))

    def _both(self, params, state, condition, x, ctx: Context) -> tuple[Any, Any]:
        """The outputs of both layers, of which one is taken."""
        after, outs = [dict(state), dict(state)], []
        for i, (key, child) in enumerate(zip(self.keys, self.layers)):
            y, new = ctx.call(key, child, params, state, x)
            outs.append(y)
            after[i] |= {key: new} if new else {}
        return lax.cond(jnp.reshape(condition, ()), lambda a, b: a, lambda a, b: b, *zip(outs, after))


def _split(x: Any) -> tuple[Any, Any]:
    """The condition, and the input of both layers."""
    if not isinstance(x, tuple) or len(x) < 2:
        raise ShapeError("a condition and at least one input", shape_text(x))
    condition, *rest = x
    shape, dtype = getattr(condition, "shape", None), getattr(condition, "dtype", None)
    if dtype != jnp.bool_ or shape not in ((), (1,)):
        raise ShapeError("a condition that is one boolean", shape_text(condition), "jnp.any(...) makes one of several")
    return condition, rest[0] if len(rest) == 1 else tuple(rest)
