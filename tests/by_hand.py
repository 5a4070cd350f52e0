"""Five networks as an expert writes them with `jax.numpy`, on the same parameters: what zero overhead is held to."""

import jax
import jax.numpy as jnp
from jax import lax

from compose.core.platform import on_cpu


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def mlp(p, s, x, key, train):
    x = jax.nn.relu(dense(p["fc_0"], x))
    x = jax.nn.relu(dense(p["fc_1"], x))
    return dense(p["fc_2"], x), s


def autoencoder(p, s, x, key, train):
    x = jax.nn.relu(dense(p["e1"], x))
    x = jax.nn.relu(dense(p["e2"], x))
    x = jax.nn.relu(dense(p["d1"], x))
    return jax.nn.sigmoid(dense(p["d2"], x)), s


def conv(p, x, stride=1):
    y = lax.conv_general_dilated(x, p["kernel"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + p["bias"]


def batch_norm(p, s, x, train, keep=0.99):
    if not train:
        return (x - s["mean"]) * (lax.rsqrt(s["var"] + 1e-5) * p["scale"]) + p["bias"], s
    mean = x.mean((0, 1, 2))
    centred = x - mean
    var = jnp.square(centred).mean((0, 1, 2))
    after = {
        "mean": lax.stop_gradient(keep * s["mean"] + (1 - keep) * mean),
        "var": lax.stop_gradient(keep * s["var"] + (1 - keep) * var),
    }
    return centred * (lax.rsqrt(var + 1e-5) * p["scale"]) + p["bias"], after


def dropout(key, x, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def cnn(p, s, x, key, train):
    x, first = batch_norm(p["batch_norm_0"], s["batch_norm_0"], conv(p["conv_0"], x), train)
    x = jax.nn.relu(x)
    x, second = batch_norm(p["batch_norm_1"], s["batch_norm_1"], conv(p["conv_1"], x, 2), train)
    x = jax.nn.relu(x)
    x = x.reshape(x.shape[0], -1)
    if train:
        x = dropout(jax.random.fold_in(key, 1234), x, 0.5)
    return dense(p["fc_0"], x), {"batch_norm_0": first, "batch_norm_1": second}


def lstm(p, s, x, key, train):
    kernel, recurrent, bias = (p["lstm_0"][k] for k in ("kernel", "recurrent_kernel", "bias"))
    projected = jnp.moveaxis(x, 1, 0) @ kernel + bias

    def step(carry, z):
        h, c = carry
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    h = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    c = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    (h, _), _ = lax.scan(step, (h, c), projected)
    return dense(p["fc_0"], h), s


def layer_norm(p, x):
    centred = x - x.mean(-1, keepdims=True)
    var = jnp.square(centred).mean(-1, keepdims=True)
    return centred * (lax.rsqrt(var + 1e-5) * p["scale"]) + p["bias"]


def attention(p, x, heads):
    batch, time, n = x.shape
    q, k, v = (
        (x @ p[f"{name}_kernel"] + p[f"{name}_bias"]).reshape(batch, time, heads, -1)
        for name in ("query", "key", "value")
    )
    q, k, v = ((q * (n // heads) ** -0.5).swapaxes(1, 2), k.swapaxes(1, 2), v.swapaxes(1, 2))
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k)
    causal = jnp.arange(time) - jnp.arange(time)[:, None] <= 0
    weights = jax.nn.softmax(jnp.where(causal, scores, jnp.finfo(x.dtype).min))
    y = jnp.einsum("bhqk,bhkd->bhqd", weights, v).swapaxes(1, 2).reshape(batch, time, n)
    return y @ p["out_kernel"] + p["out_bias"]


def transformer(p, s, ids, key, train):
    def block(x, turn):
        p, i = turn
        attended = p["residual_0"]["body"]
        y = attention(attended["multi_head_attention_0"], layer_norm(attended["layer_norm_0"], x), 4)
        if train:
            y = dropout(jax.random.fold_in(jax.random.fold_in(key, i), 1234), y, 0.1)
        x = y + x
        fed = p["residual_1"]["body"]
        y = dense(fed["fc_1"], jax.nn.gelu(dense(fed["fc_0"], layer_norm(fed["layer_norm_0"], x)), approximate=False))
        return y + x, None

    table = p["embedding_0"]["embedding"]
    x = table.at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
    blocks = p["repeat_0"]
    turns = jnp.arange(blocks["residual_1"]["body"]["fc_0"]["bias"].shape[0]) if train else None
    x, _ = lax.scan(block, x, (blocks, turns), length=4, unroll=4 if on_cpu() else 1)
    return dense(p["fc_0"], layer_norm(p["layer_norm_0"], x)), s
