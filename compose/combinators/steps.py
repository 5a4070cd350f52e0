"""Layers applied to each time step, and masks computed from the data."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from compose.combinators.wrappers import Wrapper
from compose.core.context import Context
from compose.core.errors import ShapeError, shape_text
from compose.core.layer import Layer, layer
from compose.core.plan import Plan, plan

__all__ = ["masked", "time_distributed"]


@layer
class time_distributed(Wrapper):
    """Apply a layer to each step of a sequence with the same parameters: `time_distributed(conv(8, 3))` over video.

    Shapes: `(batch, time, ...)`, which the layer gets as `(batch · time, ...)`. Not needed for `fc`, norms and
    activations.
    Elsewhere: Keras `TimeDistributed`.
    """

    inner: Layer

    def plan(self, x, scope: tuple = ()) -> Plan:
        for part in jax.tree.leaves(x):
            if part.ndim < 3:
                raise ShapeError("a sequence (batch, time, ..., features)", shape_text(x))
        lead = _lead(x)
        flat = jax.tree.map(lambda s: jax.ShapeDtypeStruct((lead[0] * lead[1], *s.shape[2:]), s.dtype), x)
        inner = plan(self.inner, flat, scope)
        out = jax.tree.map(lambda s: jax.ShapeDtypeStruct((*lead, *s.shape[1:]), s.dtype), inner.out)
        return inner.within(self, x=x, out=out)

    def call(self, params, state, x, ctx: Context):
        lead = _lead(x)
        flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), x)
        y, after = self.inner.call(params, state, flat, ctx.but(mask=None))
        return jax.tree.map(lambda a: a.reshape(*lead, *a.shape[1:]), y), after


@layer
class masked(Wrapper):
    """Treat steps equal to `value` as padding for the layers inside: `masked(lstm(32) >> lstm(32))`.

    A step is padding if its id equals `value` for `(batch, time)`, or if all its elements do for `(batch, time, ...)`.
    The mask reaches the layers inside like that of `apply(..., mask=)`: recurrent layers, attention, convolutions that
    keep the steps, global pooling and norms leave padded steps out; other layers that mix steps are refused. Losses and
    metrics of `fit` leave them out too. Shapes: those of the layer inside.
    Elsewhere: Keras `Masking` and `Embedding(mask_zero=True)`, which pass the mask to all following layers.
    """

    inner: Layer
    value: float = dataclasses.field(default=0.0, kw_only=True)

    def plan(self, x, scope: tuple = ()) -> Plan:
        if jax.tree.leaves(x)[0].ndim < 2:
            raise ShapeError("ids (batch, time) or vectors (batch, time, ...)", shape_text(x))
        return super().plan(x, scope)

    def call(self, params, state, x, ctx: Context):
        return self.inner.call(params, state, x, ctx.but(mask=self.mask(x, ctx)))

    def mask(self, x, ctx: Context) -> Any:
        """The mask inside: True at the steps that are real here and around."""
        array: Any = jax.tree.leaves(x)[0]
        real = array != self.value
        real = real.any(tuple(range(2, real.ndim))) if real.ndim > 2 else real
        return real if ctx.mask is None else ctx.mask & real


def _lead(x) -> tuple[int, int]:
    first: Any = jax.tree.leaves(x)[0]
    return first.shape[:2]
