"""Small Flax modules, one of each kind, that are ported and proven in the tests."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn


class Autoencoder(nn.Module):
    @nn.compact
    def __call__(self, x):
        for size in (250, 50, 250):
            x = nn.relu(nn.Dense(size)(x))
        return nn.sigmoid(nn.Dense(784)(x))


class Cnn(nn.Module):
    """Convolution, batch norm, dropout, pools, and a flatten by hand."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(8, (3, 3), strides=2, use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.avg_pool(nn.Conv(6, (3,), padding=1)(x) if x.ndim == 3 else nn.Conv(6, (3, 3), padding=1)(x), (2, 2))
        x = nn.Dropout(0.4, deterministic=not train)(x.reshape((x.shape[0], -1)))
        return nn.softmax(nn.Dense(5)(x))


class Residual(nn.Module):
    """Equal blocks, in which the module's own scale is a parameter."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(8)(x)
        for _ in range(3):
            x = Block(8)(x)
        return nn.Dense(3, name="head")(x.mean(1))


class Block(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x):
        gain = self.param("gain", nn.initializers.ones, (self.size,))
        return x + gain * nn.gelu(nn.Dense(self.size)(nn.LayerNorm()(x)))


class Lstm(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.OptimizedLSTMCell(6))(x)
        return nn.Dense(3)(nn.RNN(nn.LSTMCell(5), reverse=True, keep_order=True)(x)[:, -1])


class Gru(nn.Module):
    @nn.compact
    def __call__(self, x):
        carry, x = nn.RNN(nn.GRUCell(6), return_carry=True)(x)
        _, y = nn.RNN(nn.SimpleCell(6), return_carry=True)(x, initial_carry=carry)
        return y


class Both(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4)))(x)
        return nn.Bidirectional(nn.RNN(nn.GRUCell(3)), nn.RNN(nn.GRUCell(3)), merge_fn=jnp.add)(x)


class Attention(nn.Module):
    """Of a query to a memory, causal self-attention, and one written out by hand."""

    @nn.compact
    def __call__(self, x, memory):
        x = x + nn.MultiHeadDotProductAttention(2, qkv_features=12)(x, memory)
        x = nn.LayerNorm()(nn.MultiHeadDotProductAttention(4)(x, mask=nn.make_causal_mask(x[..., 0])))
        q, k, v = (nn.DenseGeneral((2, 4), name=name)(x) for name in ("q", "k", "v"))
        weights = nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q / 2.0, k))
        y = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        return nn.DenseGeneral(8, axis=(-2, -1), name="out")(y)


class Encoder(nn.Module):
    """A transformer encoder over ids, with learned positions, a token and tied weights at the end."""

    @nn.compact
    def __call__(self, ids, deterministic: bool = True):
        table = nn.Embed(11, 8)
        x = table(ids) + self.param("positions", nn.initializers.normal(0.02), (1, 6, 8))
        token = self.param("token", nn.initializers.zeros, (1, 1, 8))
        x = jnp.concatenate([jnp.tile(token, (x.shape[0], 1, 1)), x], axis=1)
        for _ in range(2):
            x = Layer(2, 16)(x, deterministic)
        return table.attend(nn.LayerNorm()(x)[:, 0])


class Layer(nn.Module):
    heads: int
    size: int

    @nn.compact
    def __call__(self, x, deterministic):
        attention = nn.MultiHeadDotProductAttention(self.heads, dropout_rate=0.1, deterministic=deterministic)
        x = x + nn.Dropout(0.1)(attention(nn.LayerNorm()(x)), deterministic=deterministic)
        y = nn.Dense(self.size)(nn.RMSNorm()(x))
        return x + nn.Dense(x.shape[-1])(nn.gelu(y, approximate=False))


class UNet(nn.Module):
    """Down, up by a transposed convolution, a skip, a group norm, and an upsampling by repetition."""

    @nn.compact
    def __call__(self, x):
        down = nn.silu(nn.GroupNorm(2)(nn.Conv(4, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))(x)))
        up = nn.ConvTranspose(2, (2, 2), strides=(2, 2))(down)
        return nn.Conv(1, (1, 1))(jnp.concatenate([up, x], -1))


class Siamese(nn.Module):
    def setup(self):
        self.body = nn.Sequential([nn.Dense(6), nn.tanh, nn.Dense(4)])
        self.head = nn.Dense(1)

    def __call__(self, a, b):
        return self.head(jnp.abs(self.body(a) - self.body(b)))


class TwoIn(nn.Module):
    @nn.compact
    def __call__(self, x, y):
        return nn.Dense(2)(jnp.concatenate([nn.relu(nn.Dense(6)(x)), nn.sigmoid(nn.Dense(6)(y))], -1))


class TwoOut(nn.Module):
    @nn.compact
    def __call__(self, x):
        h = nn.elu(nn.Dense(6)(x))
        return nn.Dense(2)(h), jax.nn.log_softmax(nn.Dense(3)(h * 2.0 + 1.0))


class ByHand(nn.Module):
    """No module at all: parameters and `jax.numpy`."""

    @nn.compact
    def __call__(self, x):
        w = self.param("w", nn.initializers.lecun_normal(), (4, 6))
        b = self.param("b", nn.initializers.zeros, (6,))
        u = self.param("u", nn.initializers.lecun_normal(), (3, 6))
        return jnp.maximum(x @ w + b, 0.0) @ u.T


class Gpt(nn.Module):
    """A decoder written by hand: positions by a table, one matrix for all heads, a causal mask, tied weights."""

    @nn.compact
    def __call__(self, ids):
        table, (_, time) = nn.Embed(11, 8), ids.shape
        x = table(ids) + nn.Embed(6, 8, name="positions")(jnp.arange(time)[None])
        q, k, v = jnp.split(nn.Dense(24)(nn.LayerNorm()(x)), 3, axis=-1)
        q, k, v = (t.reshape(-1, time, 2, 4) for t in (q, k, v))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(4.0)
        weights = nn.softmax(jnp.where(jnp.tril(jnp.ones((time, time))) == 0, -1e9, scores))
        return table.attend(x + nn.Dense(8)(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape)))


class Scanned(nn.Module):
    """Three blocks whose weights are stacked, and statistics by hand in the narrower dtype."""

    @nn.compact
    def __call__(self, x):
        blocks = nn.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = blocks()(x, None)
        x = x - jnp.mean(x, axis=-1, keepdims=True)
        return jnp.asarray(x / jnp.sqrt(jnp.var(x, -1, keepdims=True) + 1e-5), jnp.float32)


class Step(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dense(x.shape[-1])(nn.tanh(nn.LayerNorm()(x))), None
