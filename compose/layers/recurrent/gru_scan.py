"""The scan of a GRU with the usual activations, and its derivative.

As for the LSTM (`lstm_scan`): the gates are `tanh`, which CPUs vectorise; the derivatives of the gates are computed in
the forward pass; and the gradient of the recurrent kernel is one product after the loop. What a step of the backward
pass needs besides its product is a single factor for each gate.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from compose.layers.product import product


def scan_gru(kernel, bias, z, h, real, kept, *, reverse: bool, unroll: int, sequence: bool) -> tuple[Any, Any]:
    """The final carry `h`, and the outputs of all steps, or None unless `sequence`.

    Args:
        kernel: the recurrent kernel `(size, 3 · size)`, with gates r, z, n.
        bias: the recurrent bias of the candidate n, `(size,)`.
        z: the projected inputs `(time, batch, 3 · size)`, with all other biases.
        h: the initial carry.
        real: boolean `(time, batch)`, False at padded steps, which keep the carry; or None.
        kept: the factor of the last output before its product, for recurrent dropout; or None.
    """
    scan = functools.partial(lax.scan, reverse=reverse, unroll=unroll)

    @jax.custom_jvp
    def run(kernel, bias, z, h):
        carry, (hs, _) = scan(functools.partial(_step, kernel, bias, kept, sequence, False), h, (z, real))
        return carry, hs

    @run.defjvp
    def jvp(primals, tangents):
        kernel, bias, z, h = primals
        dkernel, dbias, dz, dh = tangents
        carry, (hs, (before, by_gate, by_input, update)) = scan(
            functools.partial(_step, kernel, bias, kept, sequence, True), h, (z, real)
        )
        of_bias = jnp.pad(dbias, (2 * len(dbias), 0))
        entering = _sum(by_gate * (product(before, dkernel) + of_bias)) + _sum(by_input * dz)
        dcarry, dhs = scan(functools.partial(_tangent_step, kernel, kept, sequence), dh, (by_gate, update, entering))
        return (carry, hs), (dcarry, dhs)

    return run(kernel, bias, z, h)


def _step(kernel, bias, kept, sequence: bool, derivative: bool, h, turn) -> tuple[Any, Any]:
    z, real = turn
    size = h.shape[-1]
    fed = h if kept is None else h * kept
    u = fed @ kernel
    (z_gates, z_rest), (u_gates, u_rest) = (jnp.split(a, [2 * size], axis=-1) for a in (z, u))
    gates = jnp.tanh((z_gates + u_gates) * 0.5) * 0.5 + 0.5  # sigmoid, as CPUs vectorise it
    r, update = jnp.split(gates, 2, axis=-1)
    inner = u_rest + bias
    n = jnp.tanh(z_rest + r * inner)
    new = n + update * (h - n)
    factors = ()
    if derivative:
        by_candidate = (1 - update) * (1 - n * n)
        by_update = (h - n) * update * (1 - update)
        by_reset = by_candidate * inner * r * (1 - r)
        by_gate = jnp.concatenate([by_reset, by_update, by_candidate * r], axis=-1)
        by_input = jnp.concatenate([by_reset, by_update, by_candidate], axis=-1)
        if real is not None:
            where = functools.partial(jnp.where, real[:, None])
            by_gate, by_input, update = where(by_gate, 0), where(by_input, 0), where(update, 1)
        factors = (fed, by_gate, by_input, update)
    new = new if real is None else jnp.where(real[:, None], new, h)
    return new, (new if sequence else None, factors)


def _tangent_step(kernel, kept, sequence: bool, dh, turn) -> tuple[Any, Any]:
    by_gate, update, entering = turn
    fed = dh if kept is None else dh * kept
    new = entering + update * dh + _sum(by_gate * (fed @ kernel))
    return new, new if sequence else None


def _sum(gates):
    """The sum over the three gates of `(..., 3 · size)`."""
    r, z, n = jnp.split(gates, 3, axis=-1)
    return r + z + n
