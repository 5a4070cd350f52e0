"""Wrappers: a layer with the same parameters under the same keys, run differently.

Shapes: those of the layer inside.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.context import Context
from compose.core.editing import named
from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.core.plan import Plan, float_dtype, plan
from compose.core.registry import word


class Wrapper(Layer):
    """A layer around another, with the inner layer's key and name."""

    wraps = "inner"
    transparent = True
    inner: Layer

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None:
            object.__setattr__(self, "inner", named(self.name, self.inner))
            object.__setattr__(self, "name", None)

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def key_name(self) -> str | None:
        return self.inner.key_name

    def plan(self, x, scope: tuple = ()) -> Plan:
        return plan(self.inner, x, scope).within(self)


@layer
class frozen(Wrapper):
    """A fixed layer: its parameters get no gradient, and it always runs in inference mode.

    Batch norm inside uses its running statistics and does not update them, dropout is off, and `net.trainable`
    masks the parameters, so that weight decay does not change them either. Elsewhere: Keras `trainable=False`.
    """

    inner: Layer

    def call(self, params, state, x, ctx: Context):
        y, _ = self.inner.call(jax.lax.stop_gradient(params), state, x, ctx.but(train=False))
        return y, state

    def trains(self, params, on: bool):
        return jax.tree.map(lambda _: False, params)


@layer
class remat(Wrapper):
    """Keep only the input for the backward pass and recompute the rest (`jax.checkpoint`).

    Elsewhere: Keras `RematScope`, torch `utils.checkpoint.checkpoint`, Flax `remat`.
    """

    inner: Layer

    def call(self, params, state, x, ctx: Context):
        if ctx.on_layer is not None:  # observed: what is inside must not be hidden in a trace of its own
            return self.inner.call(params, state, x, ctx)
        inside = ctx.looping()
        return jax.checkpoint(lambda p, s, x: self.inner.call(p, s, x, inside))(params, state, x)


@layer
class cast(Wrapper):
    """Compute in `dtype`. Parameters keep their own dtype and are cast where they are used.

    The output has dtype `dtype`; state, such as running statistics, keeps its dtype.
    """

    inner: Layer
    dtype: Any

    def validate(self) -> None:
        try:
            object.__setattr__(self, "dtype", jnp.dtype(getattr(self.dtype, "fn", self.dtype)))
        except TypeError:
            raise ConfigError("a dtype, such as bfloat16", repr(self.dtype)) from None

    def plan(self, x, scope: tuple = ()) -> Plan:
        narrow = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, self._to(s.dtype)), x)
        inner, keep = plan(self.inner, narrow, scope), float_dtype(x)

        def widen(p: Param) -> Param:
            return dataclasses.replace(p, dtype=keep) if p.dtype == self.dtype else p

        params, state = (
            jax.tree.map(widen, t, is_leaf=lambda v: isinstance(v, Param)) for t in (inner.params, inner.state)
        )
        return inner.within(self, x=x, params=params, state=state)

    def call(self, params, state, x, ctx: Context):
        narrow = lambda tree: jax.tree.map(lambda a: a.astype(self._to(a.dtype)), tree)
        y, after = self.inner.call(narrow(params), state, narrow(x), ctx)
        return y, jax.tree.map(lambda new, old: new.astype(old.dtype), after, state)

    def _to(self, dtype):
        return self.dtype if jnp.issubdtype(dtype, jnp.floating) else dtype

    def source(self, write):
        return write.call("cast", [write.value(self.inner), getattr(self.dtype, "name", repr(self.dtype))])


@layer
class when_training(Wrapper):
    """The layer in training, the identity in inference; its output must have the shape of its input."""

    inner: Layer

    def plan(self, x, scope: tuple = ()) -> Plan:
        inner = plan(self.inner, x, scope)
        if inner.out != x:
            shapes = f"input {shape_text(x)}, output {shape_text(inner.out)}"
            raise ShapeError("an output with the shape of the input", shapes).locate(self)
        return inner.within(self)

    def call(self, params, state, x, ctx: Context):
        return self.inner.call(params, state, x, ctx) if ctx.train else (x, state)


@layer
class lora(Wrapper):
    """Every kernel inside becomes `kernel + a @ b · alpha / rank`; only a and b train (Hu et al., LoRA, 2021).

    Parameters: those of the layer, so that pretrained ones can be used, and under `lora` an `a` and a `b` for each
    kernel. `b` starts at zero, so the network initially computes the same as without LoRA. Elsewhere: Keras
    `Dense.enable_lora`, Flax `LoRA`.
    """

    inner: Layer
    rank: int = 8
    alpha: float | None = None

    def plan(self, x, scope: tuple = ()) -> Plan:
        inner = plan(self.inner, x, scope)
        pairs = self._pairs(inner.params)
        if not pairs:
            raise ConfigError("a layer with kernels inside", str(self.inner)).locate(self)
        return inner.within(self, params={**inner.params, "lora": pairs})

    def call(self, params, state, x, ctx: Context):
        base = {k: v for k, v in params.items() if k != "lora"}
        return self.inner.call(self.merge(base, params["lora"]), state, x, ctx)

    def merge(self, params, pairs) -> dict:
        """The parameters of the inner layer with the low-rank updates added."""
        scale = 1.0 if self.alpha is None else self.alpha / self.rank
        merged = dict(jax.lax.stop_gradient(params))
        for key, pair in pairs.items():
            if "a" in pair:
                delta = (pair["a"] @ pair["b"]).reshape(params[key].shape)
                merged[key] = merged[key] + (delta if scale == 1.0 else scale * delta)
            else:
                merged[key] = self.merge(params[key], pair)
        return merged

    def trains(self, params, on: bool):
        return {k: jax.tree.map(lambda _, flag=(on and k == "lora"): flag, v) for k, v in params.items()}

    def _pairs(self, params: dict) -> dict:
        pairs = {}
        for key, p in params.items():
            if isinstance(p, dict):
                inner = self._pairs(p)
                pairs.update({key: inner} if inner else {})
            elif key.endswith("kernel") and len(p.shape) > 1:
                lead = tuple(n for n, axis in zip(p.shape, p.named_axes) if axis == "layer")
                rest = [(n, axis) for n, axis in zip(p.shape, p.named_axes) if axis != "layer"]
                rows = math.prod(n for n, axis in rest if axis != "out")
                cols = math.prod(n for n, axis in rest if axis == "out")
                layers = ("layer",) * len(lead)
                pairs[key] = {
                    "a": Param((*lead, rows, self.rank), word("lecun_normal"), p.dtype, (*layers, "in", "out")),
                    "b": Param((*lead, self.rank, cols), word("zeros"), p.dtype, (*layers, "in", "out")),
                }
        return pairs
