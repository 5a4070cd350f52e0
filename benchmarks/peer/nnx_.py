"""Flax NNX: modules with `nnx.jit` and `nnx.Optimizer`."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from peer.work import batches, data


class MLP(nnx.Module):
    def __init__(self, sizes, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])

    def __call__(self, x):
        *hidden, out = self.layers
        for layer in hidden:
            x = nnx.relu(layer(x))
        return out(x)


class CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.convs = nnx.List([nnx.Conv(a, b, (3, 3), rngs=rngs) for a, b in ((1, 32), (32, 64))])
        self.norms = nnx.List([nnx.BatchNorm(n, rngs=rngs) for n in (32, 64)])
        self.out = nnx.Linear(3136, 10, rngs=rngs)

    def __call__(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = nnx.max_pool(nnx.relu(norm(conv(x))), (2, 2), (2, 2))
        return self.out(x.reshape(len(x), -1))


class Recurrent(nnx.Module):
    def __init__(self, work: str, rngs: nnx.Rngs):
        cell = nnx.OptimizedLSTMCell if work == "lstm" else nnx.GRUCell
        self.rnn, self.out = nnx.RNN(cell(28, 128, rngs=rngs)), nnx.Linear(128, 10, rngs=rngs)

    def __call__(self, x):
        return self.out(self.rnn(x)[:, -1])


def network(work: str):
    rngs = nnx.Rngs(0)
    if work == "mlp":
        return MLP((784, 250, 100, 10), rngs)
    if work == "autoencoder":
        return MLP((784, 250, 50, 250, 784), rngs)
    if work == "cnn":
        return CNN(rngs)
    return Recurrent(work, rngs) if work in ("lstm", "gru") else None


def epoch(work: str):
    model = network(work)
    if model is None:
        return None
    x, y, size = data(work)
    optimizer, rng = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param), np.random.default_rng(0)

    @nnx.jit
    def step(model, optimizer, x, y):
        def loss(model):
            z = model(x)
            if work == "autoencoder":
                return jnp.square(nnx.sigmoid(z) - y).mean()
            return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    def run():
        value = None
        for rows in batches(len(x), size, rng):
            value = step(model, optimizer, x[rows], y[rows])
        jax.block_until_ready(value)

    return run
