"""Keras's sequence layers on our parameters: how its weights are laid out, and what it does by default.

On JAX Keras computes its own tanh and softmax in float32 whatever the layer's dtype, so it gets JAX's where it can.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    additive_attention,
    conv_lstm,
    dot_attention,
    gru,
    lstm,
    masked,
    multi_head_attention,
    rnn,
)

keras = pytest.importorskip("keras")
NOISE = np.random.default_rng(3)
DOUBLE = {"dtype": "float64", "activation": jnp.tanh}
GATED = {**DOUBLE, "recurrent_activation": jax.nn.sigmoid}


def perturbed(net, *inputs):
    params, _ = net.init(0, *inputs)
    return jax.tree.map(lambda a: a + 0.3 * NOISE.normal(size=a.shape), params)


def agree(net, params, layer, weights, *inputs, given=None, tolerance=1e-10):
    """Output, and its gradient by the first input, of our layer and of Keras's with those weights, in float64."""
    layer.build(*([i.shape for i in inputs] if given is None else [[i.shape for i in given]]))
    layer.set_weights([np.asarray(w) for w in weights])
    ours = lambda x: net.apply(params, {}, x, *inputs[1:])[0]
    theirs = lambda x: layer(x if given is None else [x, *given[1:]])
    y, back = jax.vjp(ours, inputs[0])
    want, other = jax.vjp(theirs, inputs[0])
    weights = jnp.asarray(NOISE.normal(size=y.shape))
    np.testing.assert_allclose(y, want, rtol=0, atol=tolerance)
    np.testing.assert_allclose(back(weights)[0], other(weights)[0], rtol=0, atol=tolerance)


@pytest.fixture
def x(x64, rng):
    return jnp.asarray(rng.normal(size=(3, 5, 4)))


def zrn(a):
    """Our gates r, z, n in Keras's order."""
    r, z, n = np.split(np.asarray(a), 3, axis=-1)
    return np.concatenate((z, r, n), -1)


def gru_weights(p):
    bias = np.stack((zrn(p["bias"]), zrn(p["recurrent_bias"]))) if "recurrent_bias" in p else zrn(p["bias"])
    return zrn(p["kernel"]), zrn(p["recurrent_kernel"]), bias


def plain_weights(p):
    return p["kernel"], p["recurrent_kernel"], p["bias"]


def test_simple_rnn(x):
    net = rnn(6, output="last")
    p = perturbed(net, x)
    agree(net, p, keras.layers.SimpleRNN(6, **DOUBLE), plain_weights(p), x)


@pytest.mark.slow
def test_lstm_gives_the_last_output_by_default_and_its_forget_gate_starts_open(x):
    net = lstm(6, output="last")
    p = perturbed(net, x)
    layer = keras.layers.LSTM(6, **GATED)
    agree(net, p, layer, plain_weights(p), x)
    fresh = keras.layers.LSTM(6)
    fresh.build(x.shape)
    np.testing.assert_array_equal(fresh.cell.bias.value, net.init(0, x)[0]["bias"])


@pytest.mark.slow
def test_gru_has_its_gates_in_the_order_z_r_n(x):
    net = gru(6)
    p = perturbed(net, x)
    layer = keras.layers.GRU(6, return_sequences=True, **GATED)
    agree(net, p, layer, gru_weights(p), x)
    layer.set_weights([np.asarray(a) for a in (p["kernel"], p["recurrent_kernel"], gru_weights(p)[2])])
    assert np.abs(layer(x) - net.apply(p, {}, x)[0]).max() > 1e-2


def test_gru_with_the_reset_gate_before(x):
    net = gru(6, reset_after=False, recurrent_bias=False)
    p = perturbed(net, x)
    layer = keras.layers.GRU(6, return_sequences=True, reset_after=False, **GATED)
    agree(net, p, layer, gru_weights(p), x)


def test_masking_leaves_out_steps_of_zeros(x):
    net = masked(lstm(6, output="last"))
    x = x.at[0, 3:].set(0).at[1, 1].set(0)
    p = perturbed(net, x)
    layer = keras.layers.LSTM(6, **GATED)
    layer.build(x.shape)
    layer.set_weights([np.asarray(w) for w in plain_weights(p)])
    mask = keras.layers.Masking(0.0).compute_mask(x)
    np.testing.assert_allclose(net.apply(p, {}, x)[0], layer(x, mask=mask), rtol=0, atol=1e-10)


@pytest.mark.slow
def test_conv_lstm(x64, rng):
    x = jnp.asarray(rng.normal(size=(2, 3, 6, 5, 2)))
    net = conv_lstm(3, 3, padding="valid", output="last")
    p = perturbed(net, x)
    agree(net, p, keras.layers.ConvLSTM2D(3, 3, **GATED), plain_weights(p), x)


def heads_weights(p, heads):
    made = []
    for name in ("query", "key", "value"):
        kernel, n = np.asarray(p[f"{name}_kernel"]), heads[name]
        made += [kernel.reshape(kernel.shape[0], n, -1), np.asarray(p[f"{name}_bias"]).reshape(n, -1)]
    out = np.asarray(p["out_kernel"])
    return [*made, out.reshape(heads["query"], -1, out.shape[1]), p["out_bias"]]


def test_multi_head_attention_keeps_the_heads_as_an_axis(x, rng):
    memory, mask = jnp.asarray(rng.normal(size=(3, 7, 4))), jnp.asarray(rng.random((3, 5, 7)) < 0.8)
    net = multi_head_attention(2, 3)
    p = perturbed(net, x, memory, mask)
    layer = keras.layers.MultiHeadAttention(2, 3, dtype="float64", flash_attention=False)
    layer.build(x.shape, memory.shape)
    layer.set_weights(heads_weights(p, dict(query=2, key=2, value=2)))
    want = layer(x, memory, attention_mask=mask)
    np.testing.assert_allclose(net.apply(p, {}, x, memory, mask)[0], want, rtol=0, atol=1e-6)


def test_grouped_query_attention(x):
    net = multi_head_attention(4, 3, kv_heads=2)
    p = perturbed(net, x)
    layer = keras.layers.GroupQueryAttention(3, 4, 2, dtype="float64", flash_attention=False)
    layer.build(x.shape, x.shape)
    layer.set_weights(heads_weights(p, dict(query=4, key=2, value=2)))
    np.testing.assert_allclose(net.apply(p, {}, x)[0], layer(x, x), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_attention_takes_query_value_key(x, rng):
    key, value = (jnp.asarray(rng.normal(size=(3, 7, 4))) for _ in range(2))
    for net, layer in (
        (dot_attention(), keras.layers.Attention(dtype="float64")),
        (dot_attention(scale=True), keras.layers.Attention(use_scale=True, dtype="float64")),
        (additive_attention(), keras.layers.AdditiveAttention(dtype="float64")),
        (additive_attention(scale=False), keras.layers.AdditiveAttention(use_scale=False, dtype="float64")),
    ):
        p = perturbed(net, x, key, value)
        agree(net, p, layer, p.values(), x, key, value, given=(x, value, key), tolerance=1e-6)
