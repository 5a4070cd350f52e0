"""The limits of floats that a model reads, such as the most negative number for a mask, as float32 has them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.port.lowering.literals import unrepeated

_LARGEST = float(np.finfo(np.float32).max)


@contextlib.contextmanager
def limits_of_float32() -> Iterator[None]:
    """`jnp.finfo` of float64 is that of float32 in the `with` block.

    A model is traced in float64, so that its numbers are exact, but it is one of float32: its `jnp.finfo(x.dtype).min`
    must not become minus infinity, nor its `eps` vanish.
    """
    finfo = jnp.finfo

    def of_float32(dtype: Any) -> Any:
        return finfo(np.float32 if np.dtype(dtype) == np.float64 else dtype)

    jnp.finfo = of_float32  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        jnp.finfo = finfo


def within_float32(constant: Any) -> Any:
    """A constant whose finite numbers float32 has too, as those of `jnp.nan_to_num`, which asks for its own limits."""
    if not isinstance(constant, (np.ndarray, np.generic)) or constant.dtype != np.float64:
        return constant
    array = np.asarray(constant)
    own = unrepeated(array)
    beyond = np.isfinite(own) & (np.abs(own) > _LARGEST)
    if not np.any(beyond):
        return constant
    return np.broadcast_to(np.where(beyond, np.copysign(_LARGEST, own), own), array.shape)
