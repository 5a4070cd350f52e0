"""Small NNX modules that are ported and proven in the tests."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx


class Mlp(nnx.Module):
    """A list of layers, batch norm, dropout, a sequence."""

    def __init__(self, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(4, 8, rngs=rngs), nnx.Linear(8, 8, rngs=rngs)])
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)
        self.head = nnx.Sequential(nnx.Linear(8, 6, rngs=rngs), nnx.relu, nnx.Linear(6, 2, rngs=rngs))

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.gelu(layer(x))
        return self.head(self.drop(self.norm(x)))


class Cnn(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), strides=2, padding="VALID", rngs=rngs)
        self.norm = nnx.GroupNorm(4, num_groups=2, rngs=rngs)
        self.up = nnx.ConvTranspose(4, 2, (2, 2), strides=(2, 2), rngs=rngs)
        self.scale = nnx.Param(jnp.ones((2,)))

    def __call__(self, x):
        return nnx.avg_pool(self.up(nnx.silu(self.norm(self.conv(x)))) * self.scale, (2, 2), strides=(2, 2))


class Sequence(nnx.Module):
    """Recurrent layers one way and both, and attention."""

    def __init__(self, rngs: nnx.Rngs):
        self.lstm = nnx.RNN(nnx.LSTMCell(4, 6, rngs=rngs))
        self.gru = nnx.RNN(nnx.GRUCell(6, 5, rngs=rngs))
        ways = (nnx.RNN(nnx.OptimizedLSTMCell(5, 4, rngs=rngs)) for _ in range(2))
        self.both = nnx.Bidirectional(*ways, rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    def __call__(self, x):
        x = self.both(self.gru(self.lstm(x)))
        return x + self.attention(self.norm(x), mask=nnx.make_causal_mask(x[..., 0]))


class Siamese(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.table = nnx.Embed(9, 5, rngs=rngs)
        self.body = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, a, b):
        return nnx.tanh(self.body(self.table(a))) - nnx.tanh(self.body(self.table(b)))
