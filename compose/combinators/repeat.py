"""A block repeated with separate weights, compiled once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from compose.core.context import Context
from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.core.plan import Plan, draws, plan


@layer
class repeat(Layer):
    """`times` blocks in sequence, with stacked weights, run by `lax.scan`.

    Shapes: the block's output must have the shape of its input. Parameters: those of one block, each array with a
    leading axis of length `times`; `stack` and `unstack` convert from and to unrolled blocks. Compile time
    does not grow with `times`. Elsewhere: Flax `linen.scan`, Haiku `layer_stack`.

    Args:
        times: the number of blocks.
        block: the layer to repeat.
        remat: keep only each block's input for the backward pass and recompute the rest.
        unroll: the number of blocks per loop iteration.
    """

    times: int
    block: Layer
    remat: bool = dataclasses.field(default=False, kw_only=True)
    unroll: int = dataclasses.field(default=1, kw_only=True)

    transparent = True

    def validate(self) -> None:
        if self.times < 1 or self.unroll < 1:
            raise ConfigError("times and unroll of at least 1", f"{self.times}, {self.unroll}")

    def plan(self, x, scope: tuple = ()) -> Plan:
        one = plan(self.block, x, scope)
        if one.out != x:
            raise ShapeError(
                "a block whose output has the shape of its input",
                f"input {shape_text(x)}, output {shape_text(one.out)}",
            ).locate(self)
        params, state = stacked_params(one.params, self.times), stacked_params(one.state, self.times)
        return Plan(self, x, x, params, state, (("", one),), self.times)

    def call(self, params, state, x, ctx: Context):
        fold = ctx.key is not None and draws(self.block)

        def body(x, turn):
            p, s, i = turn
            inner = ctx.looping(key=jax.random.fold_in(ctx.key, i) if fold else ctx.key)
            return self.block.call(p, s, x, inner)

        turns = (params, state, jnp.arange(self.times) if fold else None)
        if ctx.on_layer is not None:
            return self._written_out(x, turns, ctx)
        step = jax.checkpoint(body) if self.remat else body
        return lax.scan(step, x, turns, length=self.times, unroll=self.unroll)

    def _written_out(self, x, turns, ctx: Context):
        """Unrolled, so that inner values can be recorded: `intermediates` has them under `repeat_0/3/...`."""
        states = []
        for i in range(self.times):
            p, s, _ = jax.tree.map(lambda leaf, i=i: leaf[i], turns)
            x, after = ctx.call(str(i), self.block, {str(i): p}, {str(i): s}, x)
            states.append(after)
        return x, stack(states)


def stacked_params(tree: Any, times: int) -> Any:
    """Stack the `Param`s of `times` equal layers along a new leading axis."""

    def grow(p: Param) -> Param:
        init: Any = Stacked(p.init)
        return dataclasses.replace(p, shape=(times, *p.shape), init=init, axes=("layer", *p.named_axes))

    return jax.tree.map(grow, tree, is_leaf=lambda v: isinstance(v, Param))


@dataclass(frozen=True)
class Stacked:
    """Initialises each of the stacked parameters separately, with the fans of a single one."""

    init: Any

    def draw(self, key, shape, dtype, fans):
        def one(i):
            return self.init.draw(jax.random.fold_in(key, i), shape[1:], dtype, fans)

        if isinstance(key, Tracer):
            return jax.vmap(one)(jnp.arange(shape[0]))
        return np.stack([one(i) for i in range(shape[0])])


def stack(trees: list) -> Any:
    """The parameters of `repeat(n, f)` from those of n separate `f`s.

    >>> import jax.numpy as jnp
    >>> stack([{"kernel": jnp.zeros((3, 3))}] * 4)["kernel"].shape
    (4, 3, 3)
    """
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstack(tree: Any) -> list:
    """The parameters of n separate `f`s from those of `repeat(n, f)`; the inverse of `stack`."""
    times = {leaf.shape[0] for leaf in jax.tree.leaves(tree)}
    if len(times) != 1:
        raise ConfigError("arrays with one common leading axis", f"leading axes {sorted(times)}")
    take = lambda i: jax.tree.map(lambda leaf: leaf[i], tree)
    return [take(i) for i in range(times.pop())]
