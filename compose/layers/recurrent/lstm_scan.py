"""The scan of an LSTM with the usual activations, and its derivative.

Three things make it faster than the scan that JAX derives. The four gates are one `tanh` of one array, which CPUs
vectorise. The derivatives of the gates are computed in the forward pass, while the gates are in the cache, so that
a step of the backward pass is one product and a few multiplications. And the gradient of the recurrent kernel is one
product after the loop instead of a sum over its steps.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.layers.product import product


def scan_lstm(kernel, z, h, c, real, kept, *, reverse: bool, unroll: int, sequence: bool) -> tuple[Any, Any]:
    """The final carry `(h, c)`, and the outputs of all steps, or None unless `sequence`.

    Args:
        kernel: the recurrent kernel `(size, 4 · size)`, with gates i, f, g, o.
        z: the projected inputs `(time, batch, 4 · size)`.
        h, c: the initial carry.
        real: boolean `(time, batch)`, False at padded steps, which keep the carry; or None.
        kept: the factor of the last output before its product, for recurrent dropout; or None.
    """
    scan = functools.partial(lax.scan, reverse=reverse, unroll=unroll)

    @jax.custom_jvp
    def run(kernel, z, h, c):
        carry, (hs, _) = scan(functools.partial(_step, kernel, kept, sequence, False), (h, c), (z, real))
        return carry, hs

    @run.defjvp
    def jvp(primals, tangents):
        kernel, z, h, c = primals
        dkernel, dz, dh, dc = tangents
        carry, (hs, (before, *factors)) = scan(
            functools.partial(_step, kernel, kept, sequence, True), (h, c), (z, real)
        )
        entering = dz + product(before, dkernel)
        dcarry, dhs = scan(
            functools.partial(_tangent_step, kernel, kept, sequence), (dh, dc), (*factors, entering, real)
        )
        return (carry, hs), (dcarry, dhs)

    return run(kernel, z, h, c)


def _step(kernel, kept, sequence: bool, derivative: bool, carry, turn) -> tuple[Any, Any]:
    h, c = carry
    z, real = turn
    fed = h if kept is None else h * kept
    gates = _gates(z + fed @ kernel)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    after = f * c + i * g
    t = jnp.tanh(after)
    new = o * t
    factors = ()
    if derivative:
        by_gate = jnp.concatenate([g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), t * o * (1 - o)], axis=-1)
        by_carry = o * (1 - t * t)
        if real is not None:
            by_gate, by_carry, f = (jnp.where(real[:, None], a, b) for a, b in ((by_gate, 0), (by_carry, 0), (f, 1)))
        factors = (fed, by_gate, by_carry, f)
    if real is not None:
        new, after = (jnp.where(real[:, None], a, b) for a, b in ((new, h), (after, c)))
    return (new, after), (new if sequence else None, factors)


def _tangent_step(kernel, kept, sequence: bool, carry, turn) -> tuple[Any, Any]:
    dh, dc = carry
    by_gate, by_carry, forget, entering, real = turn
    gates = by_gate * (entering + (dh if kept is None else dh * kept) @ kernel)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    dc = forget * dc + i + f + g
    new = by_carry * dc + o
    if real is not None:
        new = jnp.where(real[:, None], new, dh)
    return (new, dc), new if sequence else None


def _gates(a):
    """Sigmoid for i, f and o, `tanh` for g, as one `tanh`: `sigmoid(x) = tanh(x / 2) / 2 + 1 / 2`."""
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], a.dtype), a.shape[-1] // 4)
    gates = jnp.tanh(a * scale) * scale + (1 - scale)
    # Kept apart from what follows, whose slices would make a CPU compute the gates one by one.
    return lax.platform_dependent(gates, cpu=lax.optimization_barrier, default=lambda gates: gates)
