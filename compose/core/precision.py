"""Mixed precision: parameters and outputs in float32, the computation between them in half precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose.core.context import Call, Context
from compose.core.errors import ConfigError
from compose.core.layer import Layer

HALF = (jnp.dtype("bfloat16"), jnp.dtype("float16"))


def compute_dtype(precision: Any) -> Any:
    """The dtype that `precision` computes in; None for that of the parameters.

    Raises `ConfigError` unless it is `"bfloat16"`, `"float16"`, one of these dtypes, or None.
    """
    if precision is None:
        return None
    try:
        dtype = jnp.dtype(getattr(precision, "fn", precision))
    except TypeError:
        dtype = None
    if dtype not in HALF:
        raise ConfigError('precision "bfloat16" or "float16", or None for that of the parameters', repr(precision))
    return dtype


def wide(a: Any) -> Any:
    """An array in float32 if it is in half precision, else unchanged."""
    return a.astype(jnp.promote_types(a.dtype, jnp.float32)) if a.dtype in HALF else a


def narrow(y: Any, like: Any) -> Any:
    """Undo `wide`: `y` in the dtype of `like` if that is in half precision, else unchanged."""
    return y.astype(like.dtype) if like.dtype in HALF else y


def wide_specs(tree: Any) -> Any:
    """Abstract arrays with float32 in place of half precision."""
    dtype = lambda s: jnp.dtype(jnp.float32) if s.dtype in HALF else s.dtype
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, dtype(s)), tree)


def call_in(dtype: Any, net: Layer, params, state, x, ctx: Context) -> tuple[Any, Any]:
    """`net.call` with the computation in `dtype`.

    Parameters and inputs are cast to it, state is not. The output is in float32: if a function layer comes last, such
    as a softmax, it is computed in float32. With None, the parameters decide: half-precision inputs are widened unless
    the parameters are in half precision too.

    `ctx.on_call` is called for the network itself too, with its output before it is cast.
    """
    if dtype is None:
        x = as_wide_as(params, x)
        y, after = net.call(params, state, x, ctx)
        if ctx.on_call is not None:
            ctx.on_call(Call(net, params, state, x, ctx, y))
        return y, after
    calls: list[tuple[Any, Any, Any]] = []

    def on_function(layer, before, after):
        calls.append((layer, before, after))
        if ctx.on_function is not None:
            ctx.on_function(layer, before, after)

    to = lambda tree: jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
    y, after = net.call(to(params), state, to(x), ctx.but(on_function=on_function))
    if ctx.on_call is not None:
        ctx.on_call(Call(net, params, state, x, ctx, y))
    after = jax.tree.map(lambda new, old: new.astype(old.dtype), after, state)
    return jax.tree.map(lambda end: _ended(end, calls, ctx), y), after


def _ended(y: Any, calls: list[tuple[Any, Any, Any]], ctx: Context) -> Any:
    """An output in float32: computed so by the function layer that it comes from, if any."""
    for layer, before, result in reversed(calls):
        if result is y and result is not before:
            return layer.forward({}, jax.tree.map(wide, before), ctx)
    return wide(y)


def as_wide_as(params, x) -> Any:
    """The input, in float32 if it is in half precision and any parameter is not."""
    return jax.tree.map(wide, x) if _narrower(x, params) else x


def specs_as_wide_as(params, tree) -> Any:
    """The abstract arrays of what `as_wide_as` makes of inputs like these."""
    return wide_specs(tree) if _narrower(tree, params) else tree


def _narrower(x, params) -> bool:
    """Whether an input is in half precision and any parameter is not."""
    halves = any(a.dtype in HALF for a in jax.tree.leaves(x))
    return halves and any(p.dtype not in HALF for p in jax.tree.leaves(params) if jnp.issubdtype(p.dtype, jnp.floating))
