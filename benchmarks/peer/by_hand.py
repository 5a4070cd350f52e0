"""JAX written by hand: an epoch is one scan over the steps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from peer.work import batches, data


def dense(key, n: int, m: int):
    return jax.random.normal(key, (n, m)) * (2 / (n + m)) ** 0.5, jnp.zeros(m)


def mlp(sizes):
    def init(key):
        return [dense(k, a, b) for k, a, b in zip(jax.random.split(key, len(sizes)), sizes, sizes[1:])]

    def forward(params, x):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = params[-1]
        return x @ w + b

    return init, forward


def cnn():
    def init(key):
        a, b, c = jax.random.split(key, 3)
        kernel = lambda key, n, m: jax.random.normal(key, (3, 3, n, m)) * (2 / (9 * (n + m))) ** 0.5
        convs = [(kernel(a, 1, 32), jnp.zeros(32)), (kernel(b, 32, 64), jnp.zeros(64))]
        return {"convs": convs, "norms": [(jnp.ones(n), jnp.zeros(n)) for n in (32, 64)], "out": dense(c, 3136, 10)}

    def forward(params, x):
        for (kernel, bias), (scale, shift) in zip(params["convs"], params["norms"]):
            x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
            x = (x - x.mean((0, 1, 2))) * lax.rsqrt(x.var((0, 1, 2)) + 1e-5) * scale + shift
            x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        w, b = params["out"]
        return x.reshape(len(x), -1) @ w + b

    return init, forward


def lstm():
    def init(key):
        a, b, c = jax.random.split(key, 3)
        return {"in": dense(a, 28, 512), "again": dense(b, 128, 512)[0], "out": dense(c, 128, 10)}

    def forward(params, x):
        w, b = params["in"]

        def step(carry, z):
            h, c = carry
            i, f, g, o = jnp.split(z + h @ params["again"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((len(x), 128))
        (h, _), _ = lax.scan(step, (zeros, zeros), jnp.swapaxes(x, 0, 1) @ w + b)
        w, b = params["out"]
        return h @ w + b

    return init, forward


NETWORKS = {
    "mlp": lambda: mlp((784, 250, 100, 10)),
    "autoencoder": lambda: mlp((784, 250, 50, 250, 784)),
    "cnn": cnn,
    "lstm": lstm,
}


def epoch(work: str):
    if work not in NETWORKS:
        return None
    x, y, size = data(work)
    init, forward = NETWORKS[work]()
    optimizer, rng = optax.adam(1e-3), np.random.default_rng(0)

    def loss(params, x, y):
        z = forward(params, x)
        if work == "autoencoder":
            return jnp.square(jax.nn.sigmoid(z) - y).mean()
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    @jax.jit
    def train(params, state, x, y, rows):
        def step(carry, rows):
            params, state = carry
            value, grads = jax.value_and_grad(loss)(params, x[rows], y[rows])
            updates, state = optimizer.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        return lax.scan(step, (params, state), rows)[0]

    params = init(jax.random.key(0))
    held = [params, optimizer.init(params)]
    x, y = jnp.asarray(x), jnp.asarray(y)

    def run():
        held[:] = train(*held, x, y, batches(len(x), size, rng))
        jax.block_until_ready(held)

    return run
