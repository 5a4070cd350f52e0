"""Derivatives of the logarithm of the gamma function, at negative numbers too."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.scipy import special

from compose.core.function import function

__all__ = ["digamma", "polygamma"]

_SHIFT = 32  # JAX's zeta function, of which its derivatives are made, is right from -9 on


@function
def digamma(x):
    """The derivative of the logarithm of the gamma function; its gradient is right from -40 on.

    Shapes: any, unchanged. Elsewhere: torch `digamma`; that of `ops.digamma` is right from -9 on.
    """
    return _digamma(x)


@function
def polygamma(x, n: int = 1):
    """The derivative of order `n` of `digamma`, right from -40 on.

    Shapes: any, unchanged. Elsewhere: torch `polygamma(n, x)`; `ops.polygamma` is right from -9 on.
    """
    return digamma.fn(x) if n == 0 else _by_recurrence(x, n)


@jax.custom_jvp
def _digamma(x):
    return special.digamma(x)


@_digamma.defjvp
def _digamma_jvp(primals, tangents):
    (x,) = primals
    return _digamma(x), _by_recurrence(x, 1) * tangents[0]


def _by_recurrence(x, n: int):
    """That of a larger number, and the terms in between."""
    places = x[..., None] + jnp.arange(_SHIFT, dtype=x.dtype)
    terms = jnp.sum(places ** -(n + 1), -1)
    return special.polygamma(n, x + _SHIFT) - (-1.0) ** n * math.factorial(n) * terms
