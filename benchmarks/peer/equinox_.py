"""Equinox: modules, `eqx.filter_jit` and `jax.vmap` over the examples. Needs `pip install equinox`."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from peer.work import batches, data


class Recurrent(eqx.Module):
    cell: eqx.Module
    out: eqx.nn.Linear

    def __init__(self, work: str, key):
        a, b = jax.random.split(key)
        self.cell = (eqx.nn.LSTMCell if work == "lstm" else eqx.nn.GRUCell)(28, 128, key=a)
        self.out = eqx.nn.Linear(128, 10, key=b)

    def __call__(self, x):
        zeros = jnp.zeros(128)
        lstm = isinstance(self.cell, eqx.nn.LSTMCell)
        carry = (zeros, zeros) if lstm else zeros
        carry, _ = jax.lax.scan(lambda carry, x: (self.cell(x, carry), None), carry, x)  # pyright: ignore
        return self.out(carry[0] if lstm else carry)


def network(work: str):
    key = jax.random.key(0)
    if work in ("mlp", "autoencoder"):
        sizes = (784, 250, 100, 10) if work == "mlp" else (784, 250, 50, 250, 784)
        keys = jax.random.split(key, len(sizes))
        layers = [eqx.nn.Linear(a, b, key=k) for a, b, k in zip(sizes, sizes[1:], keys)]
        parts = [part for layer in layers for part in (layer, eqx.nn.Lambda(jax.nn.relu))]
        return eqx.nn.Sequential(parts[:-1])
    return Recurrent(work, key) if work in ("lstm", "gru") else None


def epoch(work: str):
    model = network(work)
    if model is None:
        return None
    x, y, size = data(work)
    optimizer, rng = optax.adam(1e-3), np.random.default_rng(0)

    @eqx.filter_jit
    def step(model, state, x, y):
        def loss(model):
            z = jax.vmap(model)(x)
            if work == "autoencoder":
                return jnp.square(jax.nn.sigmoid(z) - y).mean()
            return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

        value, grads = eqx.filter_value_and_grad(loss)(model)
        updates, state = optimizer.update(grads, state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state, value

    held = [model, optimizer.init(eqx.filter(model, eqx.is_array)), None]

    def run():
        for rows in batches(len(x), size, rng):
            held[:] = step(held[0], held[1], x[rows], y[rows])
        jax.block_until_ready(held[2])

    return run
