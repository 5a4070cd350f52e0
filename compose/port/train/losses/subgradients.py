"""Functions with torch's subgradients at kinks."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

TINY = float(np.float32(1e-12))  # torch's constant is float32, also for float64


def absolute(x):
    """`|x|` with gradient 0 at 0 (`jnp.abs`: 1)."""
    return x * lax.stop_gradient(jnp.sign(x))


def clamp_min(x, least=0.0):
    """`max(x, least)` with gradient 1 at a tie (`jnp.maximum`: 0.5)."""
    return jnp.where(x < least, least, x)


def positive(x):
    """`max(x, 0)` with gradient 0 at 0."""
    return jnp.where(x <= 0, 0, x)


def constant(tensor: Any) -> np.ndarray | None:
    """A torch tensor of weights as an array; None stays None."""
    return None if tensor is None else tensor.detach().cpu().numpy()


def weighted(value, weight: np.ndarray | None):
    """`value * weight` in the value's dtype; `value` if there are no weights."""
    return value if weight is None else value * jnp.asarray(weight, value.dtype)
