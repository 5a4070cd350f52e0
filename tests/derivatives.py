"""The derivatives that a function with a rule of its own is compared by, with those of the plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def expect_equal_derivatives(ours: Callable, plain: Callable, at: tuple, rtol: float, atol: float) -> None:
    """Compare values, reverse and forward mode at `at`, and second derivatives by each mode inside each."""
    rng = np.random.default_rng(1)
    random = lambda tree: jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), tree)
    along, g = random(at), random(jax.eval_shape(plain, *at))
    found = (jax.tree.leaves(jax.jit(lambda f=f: _derivatives(f, at, along, g))()) for f in (ours, plain))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def _derivatives(f: Callable, at: tuple, along: tuple, g: Any) -> Any:
    everywhere = tuple(range(len(at)))
    loss = lambda *at: _dot(jax.tree.map(jnp.sin, f(*at)), g)
    gradient = lambda h: jax.grad(h, everywhere)
    forward = lambda h: lambda *at: jax.jvp(h, at, along)[1]
    reverse = lambda *at: _dot(gradient(loss)(*at), along)
    seconds = forward(forward(loss)), forward(gradient(loss)), gradient(forward(loss)), gradient(reverse)
    return f(*at), jax.vjp(f, *at)[1](g), jax.jvp(f, at, along), [second(*at) for second in seconds]


def _dot(a: Any, b: Any) -> Any:
    return sum(jnp.vdot(p, q) for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
