"""Comparisons, what is made of them, and the choice between two values.

Shapes: any that broadcast, to the shape they broadcast to; but for `where` the results are boolean.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp

from compose.core.function import function

__all__ = ["equals", "greater", "less", "logical_and", "logical_not", "logical_or", "where"]


@function
def equals(*xs, value: float | None = None):
    """Where two inputs are equal, or one is `value`: `equals(value=0)` marks the padding of ids.

    Elsewhere: Keras `ops.equal`, torch `eq`.
    """
    a, b = _two(xs, value)
    return a == b


@function
def greater(*xs, value: float | None = None):
    """Where the first of two inputs, or one, is above the second, or `value`.

    Elsewhere: Keras `ops.greater`, torch `gt`.
    """
    a, b = _two(xs, value)
    return a > b


@function
def less(*xs, value: float | None = None):
    """Where the first of two inputs, or one, is below the second, or `value`.

    Elsewhere: Keras `ops.less`, torch `lt`.
    """
    a, b = _two(xs, value)
    return a < b


@function(also=(jnp.logical_and,))
def logical_and(*xs):
    """Where all of several inputs are true.

    Elsewhere: Keras `ops.logical_and`, torch `logical_and`.
    """
    return functools.reduce(jnp.logical_and, xs)


@function(also=(jnp.logical_not,))
def logical_not(x):
    """Where the input is false: torch's padding masks are those of Keras turned round.

    Elsewhere: Keras `ops.logical_not`, torch `logical_not`.
    """
    return jnp.logical_not(x)


@function(also=(jnp.logical_or,))
def logical_or(*xs):
    """Where any of several inputs is true.

    Elsewhere: Keras `ops.logical_or`, torch `logical_or`.
    """
    return functools.reduce(jnp.logical_or, xs)


@function
def where(condition, a, b):
    """The second input where the first is true, else the third; both are computed.

    Elsewhere: Keras `ops.where`, torch `where`.
    """
    return jnp.where(condition, a, b)


def _two(xs: tuple, value: float | None) -> tuple:
    return xs if value is None else (*xs, value)
