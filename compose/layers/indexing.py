"""Elements read from and written to places that are values themselves, in several axes at once or along one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.function import function

__all__ = ["index_axes", "index_update", "scatter_along_axis"]

_MODES = ("set", "add", "min", "max")


@function
def index_axes(x, *places, axes: tuple[int, ...] = (0,)):
    """`x[places]`, with the places of each of `axes` and the whole of the others: `index_axes(axes=(0, 2))`.

    Shapes: `x` and one array of integers for each of `axes`, which broadcast; to what NumPy's indexing gives.
    Elsewhere: `x[i, :, j]` in torch and Flax, `tf.gather_nd`.
    """
    return x[_index("index_axes", x, places, axes)]


@function
def index_update(x, values, *places, axes: tuple[int, ...] = (0,), mode: str = "set"):
    """`x` with `values` written to the places that `index_axes` reads; `mode="add"` adds them, duplicates too.

    Shapes: `x`, `values` that broadcast to what is read there, one array of integers for each of `axes`; to that of
    `x`. Elsewhere: `x.at[i, :, j].set(values)` in JAX, torch `index_put`.

    Args:
        mode: `"set"`, `"add"`, `"min"` or `"max"`.
    """
    return _write(x, _index("index_update", x, places, axes), values, mode)


@function
def scatter_along_axis(x, places, values, axis: int = 0, mode: str = "set"):
    """`x` with `values` written along `axis`, the opposite of `ops.take_along_axis`.

    Shapes: `x`, integers `places` of its rank, `values` at least as large as `places`, or one number; to that of `x`.
    Elsewhere: torch `scatter`, `scatter_add` and `scatter_reduce`, ONNX `ScatterElements`.

    Args:
        mode: as for `index_update`.
    """
    values = jnp.broadcast_to(values, places.shape) if values.ndim == 0 else values
    if not x.ndim == places.ndim == values.ndim:
        raise ShapeError("arrays of one rank", shape_text((x, places, values)))
    where: list[Any] = [jnp.arange(n).reshape(-1, *(1,) * (x.ndim - a - 1)) for a, n in enumerate(places.shape)]
    if x.ndim:
        where[axis] = places
    else:
        x, where, values = x[None], [jnp.reshape(places, (1,))], values[None]
        return _write(x, tuple(where), values, mode)[0]
    return _write(x, tuple(where), values[tuple(map(slice, places.shape))], mode)


def _index(name: str, x: Any, places: tuple, axes: tuple[int, ...]) -> tuple:
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    if len(axes) != len(places) or len({a % max(x.ndim, 1) for a in axes}) < len(axes):
        raise ShapeError(f"one array of places for each of {name}(axes={axes})", f"{len(places)}")
    given = {a % x.ndim: p for a, p in zip(axes, places)}
    return tuple(given.get(a, slice(None)) for a in range(max(given) + 1))


def _write(x: Any, where: tuple, values: Any, mode: str) -> Any:
    if mode not in _MODES:
        raise ConfigError(f"a mode of {', '.join(_MODES)}", repr(mode))
    values = values.astype(x.dtype)
    return _set(x, where, values) if mode == "set" else getattr(x.at[where], mode)(values)


def _set(x: Any, where: tuple, values: Any) -> Any:
    """`x.at[where].set(values)`; all that are written to one place get its gradient, as in torch."""

    @jax.custom_jvp
    def written(x, values):
        return x.at[where].set(values)

    @written.defjvp
    def _(primals, tangents):
        dx, dv = tangents
        kept = jnp.ones_like(dx).at[where].set(0)
        return written(*primals), dx * kept + jnp.zeros_like(dx).at[where].add(dv)

    return written(x, values)
