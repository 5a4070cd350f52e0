"""Flax Linen: a module with `nn.compact` and a jitted step."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from peer.work import BLOCKS, VOCABULARY, batches, data


class Network(nn.Module):
    work: str

    @nn.compact
    def __call__(self, x):
        norm = lambda x: nn.BatchNorm(use_running_average=False)(x)
        if self.work in ("mlp", "autoencoder"):
            hidden, out = ((250, 100), 10) if self.work == "mlp" else ((250, 50, 250), 784)
            for n in hidden:
                x = nn.relu(nn.Dense(n)(x))
            x = nn.Dense(out)(x)
            return nn.sigmoid(x) if self.work == "autoencoder" else x
        if self.work == "cnn":
            for n in (32, 64):
                x = nn.max_pool(nn.relu(norm(nn.Conv(n, (3, 3))(x))), (2, 2), (2, 2))
            return nn.Dense(10)(x.reshape(len(x), -1))
        if self.work == "mobile":
            x = nn.relu(norm(nn.Conv(16, (3, 3), 2)(x)))
            for n, stride in BLOCKS:
                x = nn.relu(norm(nn.Conv(n, (1, 1))(x)))
                x = nn.relu(norm(nn.Conv(n, (3, 3), stride, feature_group_count=n)(x)))
                x = norm(nn.Conv(n, (1, 1))(x))
            return nn.Dense(10)(x.mean((1, 2)))
        if self.work == "lm":
            mask = nn.make_causal_mask(x)
            x = nn.Embed(VOCABULARY, 128)(x)
            for _ in range(4):
                x = x + nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x), mask=mask)
                x = x + nn.Dense(128)(nn.gelu(nn.Dense(512)(nn.LayerNorm()(x))))
            return nn.Dense(VOCABULARY)(nn.LayerNorm()(x))
        cell = nn.OptimizedLSTMCell(128) if self.work == "lstm" else nn.GRUCell(128)
        return nn.Dense(10)(nn.RNN(cell)(x)[:, -1])


def epoch(work: str):
    x, y, size = data(work)
    net, optimizer, rng = Network(work), optax.adam(1e-3), np.random.default_rng(0)
    variables = net.init(jax.random.key(0), x[:1])
    params, stats = variables["params"], variables.get("batch_stats", {})

    @jax.jit
    def step(params, stats, state, x, y):
        def loss(params):
            z, after = net.apply({"params": params, "batch_stats": stats}, x, mutable=["batch_stats"])
            if work == "autoencoder":
                return jnp.square(z - y).mean(), after
            return optax.softmax_cross_entropy_with_integer_labels(z, y).mean(), after

        (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), after.get("batch_stats", {}), state, value

    held = [params, stats, optimizer.init(params), None]

    def run():
        for rows in batches(len(x), size, rng):
            held[:] = step(*held[:3], x[rows], y[rows])
        jax.block_until_ready(held)

    return run
