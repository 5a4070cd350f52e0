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
from compose.core.platform import on_cpu

FEW = 8  # blocks, which compile fast when they are written out


@layer
class repeat(Layer):
    """`times` blocks in sequence, with stacked weights, run by `lax.scan`.

    Shapes: the block's output must have the shape of its input. Of several inputs, the first go from block to block,
    as many as the block has outputs, and every block reads the rest: `repeat(6, block)(x, mask)` is
    `block(block(x, mask), mask)` and so on. Parameters: those of one block, each array with a leading axis of length
    `times`; `stack` and `unstack` convert from and to unrolled blocks. Compile time does not grow with `times`, but for
    the first few on CPUs.
    Elsewhere: Flax `linen.scan`, whose inputs for every block are `nn.broadcast`, Haiku `layer_stack`.

    >>> from compose import branch, compose_seq, fc, identity, multiply, parallel, repeat
    >>> gated = parallel(fc(8), identity) >> multiply  # each block reads the gates
    >>> net = branch(fc(8), fc(8)) >> repeat(6, gated)
    >>> net.init(0, 4)[0]["repeat_0"]["parallel_0"]["fc_0"]["kernel"].shape
    (6, 8, 8)

    Args:
        times: the number of blocks.
        block: the layer to repeat.
        remat: keep only each block's input for the backward pass and recompute the rest.
        unroll: the number of blocks per loop iteration; by default 1, but on CPUs all of up to 8, which is up to three
            times as fast there, unless with `remat`.
    """

    times: int
    block: Layer
    remat: bool = dataclasses.field(default=False, kw_only=True)
    unroll: int | None = dataclasses.field(default=None, kw_only=True)

    transparent = True

    def validate(self) -> None:
        if self.times < 1 or (self.unroll is not None and self.unroll < 1):
            raise ConfigError("times and unroll of at least 1", f"{self.times}, {self.unroll}")

    def plan(self, x, scope: tuple = ()) -> Plan:
        one = plan(self.block, x, scope)
        if next_inputs(one.out, x) != x:
            first = ", or of the first of its inputs" if isinstance(x, tuple) else ""
            raise ShapeError(
                f"a block whose output has the shape of its input{first}",
                f"input {shape_text(x)}, output {shape_text(one.out)}",
            ).locate(self)
        params, state = stacked_params(one.params, self.times), stacked_params(one.state, self.times)
        return Plan(self, x, one.out, params, state, (("", one),), self.times)

    def call(self, params, state, x, ctx: Context):
        fold = ctx.key is not None and draws(self.block)

        made: list = []

        def body(x, turn):
            p, s, i = turn
            inner = ctx.looping(key=jax.random.fold_in(ctx.key, i) if fold else ctx.key)
            y, after = self.block.call(p, s, x, inner)
            made.append(y)
            return next_inputs(y, x), after

        turns = (params, state, jnp.arange(self.times) if fold else None)
        if ctx.on_layer is not None:
            return self._written_out(x, turns, ctx)
        step = jax.checkpoint(body) if self.remat else body
        x, after = lax.scan(step, x, turns, length=self.times, unroll=self.unroll or self._usual_unroll())
        return outputs_in(x, made[0]), after

    def _usual_unroll(self) -> int:
        """In a loop, XLA's CPU compiler reads a block's parameters from the stack anew for each value it computes.

        Without one, it computes nothing a second time, so that `remat` saves no memory.
        """
        return self.times if self.times <= FEW and not self.remat and on_cpu() else 1

    def _written_out(self, x, turns, ctx: Context):
        """Unrolled, so that inner values can be recorded: `intermediates` has them under `repeat_0/3/...`."""
        states, y = [], x
        for i in range(self.times):
            p, s, _ = jax.tree.map(lambda leaf, i=i: leaf[i], turns)
            y, after = ctx.call(str(i), self.block, {str(i): p}, {str(i): s}, x)
            x = next_inputs(y, x)
            states.append(after)
        return y, stack(states)


def next_inputs(y: Any, x: Any) -> Any:
    """What the next block reads: the output of a block, with those inputs of it that go on as they are."""
    if not isinstance(x, tuple):
        return y
    outputs = y if isinstance(y, tuple) else (y,)
    return (*outputs, *x[len(outputs) :])


def outputs_in(x: Any, y: Any) -> Any:
    """The values among the inputs for a next block that are outputs of the last one, in the structure of `y`."""
    tree = jax.tree.structure(y)
    return jax.tree.unflatten(tree, jax.tree.leaves(x)[: tree.num_leaves])


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
