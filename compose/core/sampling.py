"""Random numbers for initializers, without a compilation for every shape.

Compiling JAX's generator takes 0.2 s per shape, which would dominate the initialization of a network with many
shapes. So it is compiled for power-of-two lengths only, and the array is a slice of the draw.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_LARGE = 1 << 22  # above this size, copying through the host costs more than compiling

_KINDS = {
    "uniform": lambda key, n, dtype: jax.random.uniform(key, (n,), dtype),
    "normal": lambda key, n, dtype: jax.random.normal(key, (n,), dtype),
    "truncated_normal": lambda key, n, dtype: jax.random.truncated_normal(key, -2.0, 2.0, (n,), dtype),
}


def draw(kind: str, key, shape: tuple[int, ...], dtype) -> Any:
    """Standard random numbers: `uniform` in [0, 1), `normal`, or `truncated_normal` truncated at ±2.

    The values are the same eagerly, under `jit` and under `vmap`.
    """
    n = math.prod(shape)
    flat = _flat(kind, max(256, 1 << (n - 1).bit_length()) if n else 256, jnp.dtype(dtype))(key)
    if isinstance(flat, Tracer) or n >= _LARGE:
        return flat[:n].reshape(shape)
    return np.asarray(flat)[:n].reshape(shape)


@functools.lru_cache(maxsize=256)
def _flat(kind: str, n: int, dtype):
    return jax.jit(lambda key: _KINDS[kind](key, n, dtype))
