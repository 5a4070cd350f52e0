"""Convolutions with groups on CPUs, as convolutions without.

XLA's own form runs a naive loop. A few groups are a convolution each; more take turns in a loop, because XLA needs up
to 0.3 s to compile each convolution and its gradients. Groups of few channels are joined first, in a kernel that is
zero between them: convolutions of fewer than 8 channels take up to four times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

WRITTEN_OUT = 4  # groups
ENOUGH_CHANNELS = 8


def by_group(convolution: Callable[[Any, Any], Any], x, kernel, groups: int):
    """`convolution(x, kernel)` for each group; the channels are last."""
    together = _together(min(kernel.shape[-2], kernel.shape[-1] // groups), groups)
    kernel, groups = _joined(kernel, groups, together), groups // together
    if groups == 1:
        return convolution(x, kernel)
    if groups <= WRITTEN_OUT:
        parts = (lax.split(a, [a.shape[-1] // groups] * groups, axis=a.ndim - 1) for a in (x, kernel))
        return lax.concatenate([convolution(*part) for part in zip(*parts, strict=True)], x.ndim - 1)
    parts = tuple(jnp.moveaxis(a.reshape(*a.shape[:-1], groups, -1), -2, 0) for a in (x, kernel))
    _, y = lax.scan(lambda _, part: (None, convolution(*part)), None, parts)
    y = jnp.moveaxis(y, 0, -2)
    return y.reshape(*y.shape[:-2], -1)


def _together(channels: int, groups: int) -> int:
    """How many groups become one: the fewest that have enough channels."""
    return next((n for n in range(1, groups) if groups % n == 0 and n * channels >= ENOUGH_CHANNELS), groups)


def _joined(kernel, groups: int, together: int):
    """The kernel of fewer groups, in which each of `together` sees its own channels alone."""
    if together == 1:
        return kernel
    *size, channels, filters = kernel.shape
    apart = kernel.reshape(-1, groups // together, together, filters // groups)
    zero, rows = jnp.zeros((), kernel.dtype), []
    for i in range(together):
        own = lax.slice_in_dim(apart, i, i + 1, axis=2)
        wide = lax.pad(own, zero, [(0, 0, 0), (0, 0, 0), (i, together - 1 - i, 0), (0, 0, 0)])
        rows.append(wide.reshape(-1, channels, filters))
    return lax.concatenate(rows, 1).reshape(*size, together * channels, filters)
