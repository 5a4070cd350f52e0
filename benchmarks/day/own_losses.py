"""Losses and loops of one's own: a variational autoencoder, a Siamese network, an adversarial pair, a written loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from keras import layers, ops

from compose import compose_seq, data, fc, leaky_relu, parallel, relu, share, sigmoid, spec


def variational_data():
    """a variational autoencoder that draws"""
    return (data.digits().flat[:500],)


def variational_ours(x):
    encoder = compose_seq(fc(64, relu), fc(8), name="encoder")
    decoder = compose_seq(fc(64, relu), fc(64, sigmoid), name="decoder")

    def elbo(net, params, state, x, rng):
        mean, log_var = jnp.split(encoder.apply(params["encoder"], {}, x)[0], 2, -1)
        z = mean + jnp.exp(log_var / 2) * jax.random.normal(rng, mean.shape)
        error = jnp.square(decoder.apply(params["decoder"], {}, z)[0] - x).sum(-1).mean()
        kl = 0.5 * (jnp.square(mean) + jnp.exp(log_var) - 1 - log_var).sum(-1).mean()
        return error + kl

    trained = parallel(encoder, decoder).fit(x, loss=elbo, inputs=(spec(64), spec(4)), epochs=2, verbose=False)
    return decoder.apply(trained.params["decoder"], {}, np.zeros((5, 4), np.float32))[0].shape == (5, 64)


class Variational(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(64, "relu"), layers.Dense(8)])
        self.decoder = keras.Sequential([layers.Dense(64, "relu"), layers.Dense(64, "sigmoid")])
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        mean, log_var = ops.split(self.encoder(x), 2, -1)
        z = mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=self.seeds)
        self.add_loss(ops.mean(0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1 - log_var, -1)))
        return self.decoder(z)


def variational_keras(x):
    model = Variational()
    model.compile("adam", lambda true, drawn: ops.sum(ops.square(drawn - true), -1))
    model.fit(x, x, epochs=2, verbose=0)
    return model.decoder(np.zeros((5, 4), np.float32)).shape == (5, 64)


def siamese_data():
    """a Siamese network with a contrastive loss"""
    digits, rng = data.digits(), np.random.default_rng(0)
    left, right = rng.integers(0, len(digits), (2, 2000))
    return digits.flat[left], digits.flat[right], (digits.y[left] == digits.y[right]).astype(np.float32)


def siamese_ours(left, right, same):
    net = share(compose_seq(fc(64, relu), fc(8)), lambda encoder: parallel(encoder, encoder))
    trained = net.fit((left, right), same, loss="contrastive", epochs=3, verbose=False)
    return trained.history[-1]["loss"] < trained.history[0]["loss"]


def siamese_keras(left, right, same):
    encoder = keras.Sequential([layers.Dense(64, "relu"), layers.Dense(8)])
    inputs = keras.Input((64,)), keras.Input((64,))
    a, b = map(encoder, inputs)
    distance = ops.sqrt(ops.sum(ops.square(a - b), -1) + 1e-12)
    model = keras.Model(inputs, distance)

    def contrastive(same, distance):
        return same * ops.square(distance) + (1 - same) * ops.square(ops.maximum(0.0, 1 - distance))

    model.compile("adam", contrastive)
    history = model.fit((left, right), same, epochs=3, verbose=0).history
    return history["loss"][-1] < history["loss"][0]


def adversaries_data():
    """a generative adversarial network"""
    return (data.digits().flat[:500],)


def adversaries_ours(x):
    generator = compose_seq(fc(64, relu), fc(64, sigmoid), name="generator")
    judge = compose_seq(fc(64, leaky_relu), fc(1), name="judge")

    def adversaries(net, params, state, x, rng):
        still, entropy = jax.lax.stop_gradient, optax.sigmoid_binary_cross_entropy
        drawn = generator.apply(params["generator"], {}, jax.random.normal(rng, (len(x), 16)))[0]
        real, fake = (judge.apply(params["judge"], {}, images)[0] for images in (x, still(drawn)))
        telling = (entropy(real, 1.0) + entropy(fake, 0.0)).mean()
        fooling = entropy(judge.apply(still(params["judge"]), {}, drawn)[0], 1.0).mean()
        return telling + fooling

    options = dict(optimizer=optax.adam(5e-4, b1=0.5), epochs=2, verbose=False)
    trained = parallel(generator, judge).fit(x, loss=adversaries, inputs=(spec(16), spec(64)), **options)
    return generator.apply(trained.params["generator"], {}, np.zeros((5, 16), np.float32))[0].shape == (5, 64)


class Adversaries(keras.Model):
    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(64, "relu"), layers.Dense(64, "sigmoid")])
        self.judge = keras.Sequential([layers.Dense(64), layers.LeakyReLU(), layers.Dense(1)])
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        drawn = self.generator(keras.random.normal((ops.shape(x)[0], 16), seed=self.seeds))
        real, fake = self.judge(x), self.judge(ops.stop_gradient(drawn))
        telling = self.entropy(ops.ones_like(real), real) + self.entropy(ops.zeros_like(fake), fake)
        fooled = self.judge.stateless_call([ops.stop_gradient(v) for v in self.judge.trainable_variables], [], drawn)[0]
        fooling = self.entropy(ops.ones_like(fooled), fooled)
        self.add_loss(telling + fooling)
        return drawn


def adversaries_keras(x):
    model = Adversaries()
    model.compile(keras.optimizers.Adam(5e-4, beta_1=0.5))
    model.fit(x, epochs=2, verbose=0)
    return model.generator(np.zeros((5, 16), np.float32)).shape == (5, 64)


def loop_data():
    """a custom training loop, compiled"""
    digits = data.digits()
    return digits.flat, digits.y


def loop_ours(x, y):
    net = compose_seq(fc(32, relu), fc(10))
    params, state = net.init(0, x)
    optimizer = optax.adam(1e-2)
    moments = optimizer.init(params)

    def loss(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(net.apply(params, state, x)[0], y).mean()

    @jax.jit
    def step(params, moments, x, y):
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, moments = optimizer.update(gradients, moments)
        return optax.apply_updates(params, updates), moments, value

    for at in range(0, len(x), 32):
        params, moments, value = step(params, moments, x[at : at + 32], y[at : at + 32])
    return value < 1.5


def loop_keras(x, y):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(32, "relu"), layers.Dense(10)])
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(model.trainable_variables)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(trainable, fixed, x, y):
        outputs, fixed = model.stateless_call(trainable, fixed, x, training=True)
        return entropy(y, outputs), fixed

    @jax.jit
    def step(trainable, fixed, moments, x, y):
        (value, fixed), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, fixed, x, y)
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        return trainable, fixed, moments, value

    variables = model.trainable_variables, model.non_trainable_variables, optimizer.variables
    trainable, fixed, moments = ([variable.value for variable in kind] for kind in variables)
    for at in range(0, len(x), 32):
        trainable, fixed, moments, value = step(trainable, fixed, moments, x[at : at + 32], y[at : at + 32])
    return value < 1.5
