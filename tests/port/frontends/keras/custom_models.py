"""Layers and models of one's own, as people write them in Keras, that are ported and proven in the tests."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as L
from keras import ops

own = keras.saving.register_keras_serializable("tests")


class Own(L.Layer):
    """A layer whose arguments are its configuration."""

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        self.args = args
        self.make(*args)

    def make(self, *args):
        pass

    def get_config(self):
        return {**super().get_config(), "args": self.args}

    @classmethod
    def from_config(cls, config):
        return cls(*config.pop("args"), **config)


@own
class Block(Own):
    """Sublayers, a weight, a branch on `training`, a loss added on the way."""

    def make(self, units):
        self.norm, self.drop = L.LayerNormalization(), L.Dropout(0.1)
        self.wide, self.narrow = L.Dense(units * 2, "gelu"), L.Dense(units)

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.fixed = self.add_weight(shape=(shape[-1],), initializer="ones", name="fixed", trainable=False)

    def call(self, x, training=None):
        h = self.narrow(self.wide(self.norm(x))) * self.gamma
        if training:
            h = self.drop(h, training=True)
        self.add_loss(ops.mean(ops.square(h)))
        return x + self.fixed * h


@own
class Affine(Own):
    """A dense layer by hand."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], *self.args), name="w")
        self.b = self.add_weight(shape=self.args, initializer="zeros", name="b")

    def call(self, x):
        return ops.relu(ops.matmul(x, self.w) + self.b)


@own
class Heads(Own):
    """Attention written out, in sizes that the call asks for."""

    def build(self, shape):
        self.qkv, self.out = L.Dense(3 * shape[-1]), L.Dense(shape[-1])
        self.qkv.build(shape)
        self.out.build(shape)

    def call(self, x):
        (heads,), (batch, time, n) = self.args, ops.shape(x)
        q, k, v = ops.split(self.qkv(x), 3, axis=-1)
        apart = lambda t: ops.transpose(ops.reshape(t, (batch, time, heads, n // heads)), (0, 2, 1, 3))
        scores = ops.matmul(apart(q), ops.swapaxes(apart(k), -1, -2)) / ops.sqrt(ops.cast(n // heads, "float32"))
        y = ops.transpose(ops.matmul(ops.softmax(scores), apart(v)), (0, 2, 1, 3))
        return self.out(ops.reshape(y, (-1, time, n)))


@own
class Places(Own):
    """Ids with learned positions, and a token before them."""

    def make(self, length, vocabulary, size):
        self.ids, self.places = L.Embedding(vocabulary, size), L.Embedding(length, size)

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, self.args[2]), name="token")

    def call(self, ids):
        x = self.ids(ids) + self.places(ops.arange(0, ops.shape(ids)[-1]))
        return ops.concatenate([ops.broadcast_to(self.token, (ops.shape(ids)[0], 1, x.shape[-1])), x], axis=1)


@own
class Encoder(Own):
    """A transformer block, as in Keras's examples."""

    def make(self, size, heads, hidden):
        self.attention = L.MultiHeadAttention(heads, size // heads)
        self.hidden = keras.Sequential([L.Dense(hidden, "relu"), L.Dense(size)])
        self.norms, self.drops = [L.LayerNormalization() for _ in "ab"], [L.Dropout(0.1) for _ in "ab"]

    def call(self, x, training=False):
        x = self.norms[0](x + self.drops[0](self.attention(x, x), training=training))
        return self.norms[1](x + self.drops[1](self.hidden(x), training=training))


@own
class Turned(Own):
    """Rotary positions: constants that the call computes, in float32 by name."""

    def call(self, x):
        _, time, n = x.shape
        rate = ops.power(10000.0, -ops.arange(0, n, 2, dtype="float32") / n)
        angle = ops.arange(time, dtype="float32")[:, None] * rate[None]
        angle = ops.concatenate([angle, angle], -1)
        a, b = ops.split(ops.cast(x, "float32"), 2, axis=-1)
        return x * ops.cos(angle) + ops.concatenate([-b, a], -1) * ops.sin(angle) - np.linspace(0.0, 1.0, n)


@own
class Two(Own):
    """Two inputs, one by name, and a number."""

    def make(self):
        self.dense = L.Dense(4)

    def call(self, a, other, by=1.0):
        return self.dense(a) * by - other, a


@own
class Hides(Own):
    """A layer that takes the mask, and hands it on."""

    def make(self):
        self.supports_masking, self.dense = True, L.Dense(4)

    def call(self, x, mask=None):
        y = self.dense(x)
        return y if mask is None else y * ops.cast(mask, "float32")[..., None]


@own
class ByName(keras.Model):
    """A model whose input and output are dicts."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.left, self.right, self.head = L.Dense(4, "relu"), L.Dense(4, "tanh"), L.Dense(2)

    def call(self, inputs, training=None):
        h = ops.concatenate([self.left(inputs["x"]), self.right(inputs["y"])], -1)
        return {"out": self.head(h), "h": h}


@own
class InList(keras.Model):
    """A model whose call takes a list, and no `training`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.left = keras.Sequential([L.Dense(4, "relu"), L.Dropout(0.2), L.Dense(3)])
        self.right = L.Dense(3, "tanh")

    def call(self, inputs):
        x, y = inputs
        return self.left(x) * self.right(y)
