"""Padded steps under a mask: which layers may run there.

A layer that computes each step by itself is not concerned. One that mixes steps either leaves out padded ones itself,
or is refused, since it would mix padding in without a word.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.hooks import hooks
from compose.core.layer import Layer, StatefulLayer
from compose.core.plan import float_dtype, plan, specs


def has_steps(x: Any, mask: Any) -> bool:
    """Whether an array is a sequence under a mask: `(batch, time, ...)`, or ids `(batch, time)`."""
    return x.shape[:2] == mask.shape and (x.ndim > 2 or not jnp.issubdtype(x.dtype, jnp.inexact))


def expect_no_padding(layer: Layer, x: Any, ctx: Context) -> None:
    """Raise `ConfigError` for a layer that mixes steps of a sequence under a mask and does not know the mask."""
    if not any(has_steps(part, ctx.mask) for part in jax.tree.leaves(x)):
        return
    if layer.knows_mask(x) or steps_apart(layer, x, ctx.mask.shape[1]):
        return
    error = ConfigError(
        "no padded steps, since this layer mixes steps and does not know the mask", "a sequence under a mask",
        "put it before or outside of masked(...), or first reduce the steps with a layer that knows the mask: "
        "global_avg_pool, global_max_pool, lstm(..., output='last')",
    )  # fmt: skip
    raise error.locate(layer, path=ctx.path)


hooks.expect_no_padding = expect_no_padding


def steps_apart(layer: Layer, x: Any, steps: int) -> bool:
    """Whether a leaf computes each of the steps along axis 1 by itself; its output has the same steps."""
    if layer.apart:
        return True
    if type(layer).call not in (Layer.call, StatefulLayer.call):
        return False
    leaves, tree = jax.tree.flatten(specs(x))
    batch = next((s.shape[0] for s in leaves if s.shape[1:2] == (steps,)), None)
    leaves = tuple(jax.ShapeDtypeStruct(_of_two(s.shape, batch, steps), s.dtype) for s in leaves)
    return _steps_apart(layer, leaves, tree, steps, float_dtype(x))


def _of_two(shape: tuple[int, ...], batch: int | None, steps: int) -> tuple[int, ...]:
    """The shape with a batch of two examples, which is enough; unchanged without a batch, as that of positions."""
    has_batch = shape[:1] == (batch,) and (shape[1:2] == (steps,) or batch != steps)
    return (2, *shape[1:]) if has_batch else shape


@functools.lru_cache(maxsize=4096)
def _steps_apart(layer: Layer, leaves: tuple[Any, ...], tree: Any, steps: int, dtype: Any) -> bool:
    """Found out by changing one step at a time: no output of another step may change."""
    rng = np.random.default_rng(0)
    try:
        with jax.ensure_compile_time_eval():
            x = [_draw(rng, s.shape, s.dtype) for s in leaves]
            planned = plan(layer, jax.tree.unflatten(tree, specs(x)))
            params, state = (_drawn(rng, s) for s in (planned.param_specs(), planned.state_specs()))
            run = lambda x, ctx: jax.tree.leaves(layer.call(params, state, jax.tree.unflatten(tree, x), ctx)[0])
            before = run(x, Context())
            if not all(y.shape[:2] == (2, steps) and y.ndim > 2 - (y.dtype.kind not in "fc") for y in before):
                return False
            changed = [(step, [_with(rng, a, steps, step, how) for a in x]) for step in _few(steps) for how in range(2)]
            return all(
                _same_elsewhere(a, b, step)
                for ctx in _modes(layer)
                for step, other in changed
                for a, b in zip(run(x, ctx), run(other, ctx))
            )
    except Exception:  # what cannot be run is not known to keep steps apart
        return False


def _modes(layer: Layer) -> list[Context]:
    """Inference and, for a layer that differs in training, several draws of that."""
    differs = layer.draws or isinstance(layer, StatefulLayer)
    return [Context(), *(Context(train=True, key=jax.random.key(i)) for i in range(4 * differs))]


def _few(steps: int) -> tuple[int, ...]:
    return tuple(sorted({0, steps // 2, steps - 1}))


def _with(rng: np.random.Generator, a: Any, steps: int, step: int, how: int) -> Any:
    """An array with one step changed, to large numbers or to NaN; unchanged without steps."""
    if a.shape[:2] != (2, steps):
        return a
    if not jnp.issubdtype(a.dtype, jnp.inexact):
        return a.at[:, step].set(1 - a[:, step])
    new = 1e3 * _draw(rng, a[:, step].shape, a.dtype) if how == 0 else jnp.nan
    return a.at[:, step].set(new)


def _same_elsewhere(a: Any, b: Any, step: int) -> bool:
    a, b = (np.delete(np.asarray(y, np.float64), step, 1) for y in (a, b))
    return np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.asarray(rng.normal(size=shape), dtype)
    return jnp.asarray(rng.integers(0, 2, shape)).astype(dtype)


def _drawn(rng: np.random.Generator, tree: Any) -> Any:
    return jax.tree.map(lambda s: abs(_draw(rng, s.shape, s.dtype)), tree)


def where_real(x: Any, mask: Any, other: Any = 0) -> Any:
    """The input with `other` at padded steps; unchanged if there is no mask or `x` has no steps."""
    if mask is None or not has_steps(x, mask):
        return x
    return jnp.where(like_steps(mask, x), x, other)


def like_steps(mask: Any, x: Any) -> Any:
    """A mask `(batch, time)` that broadcasts to `(batch, time, ...)`."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - 2))


def mask_over(x: Any, mask: Any) -> Any:
    """`like_steps` for an array that is a sequence under the mask, else None."""
    return None if mask is None or not has_steps(x, mask) else like_steps(mask, x)
