"""Training in half precision: about the loss of float32, with parameters, optimizer and files in float32."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import compose
from compose import (
    at,
    batch_norm,
    compose_seq,
    conv,
    dropout,
    embedding,
    fc,
    flatten,
    gelu,
    layer_norm,
    multi_head_attention,
    relu,
    repeat,
    residual,
    softmax,
)
from compose.train import fit
from compose.train.loss_scale import FIRST, LEAST, MOST, PATIENCE, LossScale, adjusted, first_scale

noise = np.random.default_rng(0)
VECTORS = noise.normal(size=(192, 8)).astype(np.float32)
IMAGES = noise.normal(size=(192, 8, 8, 1)).astype(np.float32)
IDS = noise.integers(0, 12, (192, 8))
BLOCK = compose_seq(
    residual(compose_seq(layer_norm(), multi_head_attention(2), dropout(0.1))),
    residual(compose_seq(layer_norm(), fc(32, gelu), fc(16))),
)
NETWORKS = {
    "mlp": (compose_seq(fc(32, relu), fc(16, relu), fc(3, softmax)), VECTORS, (VECTORS[:, :3]).argmax(1)),
    "cnn": (
        compose_seq(conv(8, 3), batch_norm(momentum=0.8), relu, conv(8, 3, stride=2), batch_norm(momentum=0.8), relu)
        >> flatten >> fc(2, softmax),
        IMAGES, (IMAGES[:, :4].mean((1, 2, 3)) > 0).astype(int),
    ),
    "transformer": (
        compose_seq(embedding(12, 16), repeat(2, BLOCK), at(":, 0"), fc(3, softmax)), IDS, IDS[:, 0] % 3,
    ),
}  # fmt: skip


def train(name, **options):
    net, x, y = NETWORKS[name]
    defaults = dict(loss="cross_entropy", optimizer=optax.adam(1e-2), epochs=12, batch_size=48, verbose=False)
    return fit(net, x, y, **{**defaults, **options})


SLOW = pytest.param("transformer", marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn", SLOW])
def test_half_precision_trains_to_about_the_same_loss(name, tmp_path):
    exact = train(name)
    first, last = exact.history[0]["loss"], exact.history[-1]["loss"]
    assert last < 0.6 * first
    for precision in ("bfloat16", "float16"):
        half = train(name, precision=precision, validation=0.2)
        assert half.history[-1]["loss"] == pytest.approx(last, abs=0.15 * first)
        assert np.isfinite(half.history[-1]["val_loss"])
        arrays = half.params, half.state, half.session.optimizer_state
        assert {a.dtype for a in jax.tree.leaves(arrays) if a.dtype != jnp.int32} == {jnp.dtype("float32")}
    half.save(tmp_path / "half.safetensors")
    again = compose.load(tmp_path / "half.safetensors")
    x = NETWORKS[name][1]
    np.testing.assert_array_equal(again.predict(x), half.predict(x))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_data_trains_parameters_in_float32(dtype):
    net, x, y = NETWORKS["mlp"]
    narrow = np.asarray(jnp.asarray(x, dtype))
    options = dict(loss="cross_entropy", optimizer="sgd", learning_rate=0.1, epochs=3, batch_size=48, verbose=False)
    trained = fit(net, narrow, y, **options)
    wide = fit(net, narrow.astype(np.float32), y, **options)
    assert {a.dtype for a in jax.tree.leaves(trained.params)} == {jnp.dtype("float32")}
    assert [e["loss"] for e in trained.history] == [e["loss"] for e in wide.history]


def test_none_and_bfloat16_have_no_scale():
    assert first_scale(None) is first_scale(jnp.dtype("bfloat16")) is None
    assert train("mlp", epochs=1).session.scale is None
    assert train("mlp", epochs=1, precision="float16").session.scale == (FIRST, 4)


def test_the_scale_halves_on_overflow_and_doubles_after_many_steps():
    scale = LossScale(jnp.float32(8.0), jnp.int32(PATIENCE - 1))
    assert adjusted(scale, True) == (16.0, 0)
    assert adjusted(scale, False) == (4.0, 0)
    assert adjusted(LossScale(jnp.float32(8.0), jnp.int32(3)), True) == (8.0, 4)
    assert adjusted(LossScale(jnp.float32(LEAST), jnp.int32(3)), False) == (LEAST, 0)
    assert adjusted(LossScale(jnp.float32(MOST), jnp.int32(PATIENCE - 1)), True) == (MOST, 0)


def test_a_step_that_overflows_is_skipped_and_the_next_ones_train():
    """A loss so large that its scaled gradient overflows float16 until the scale has been halved some times."""
    net, x, y = NETWORKS["mlp"]
    loss = lambda p, t: 40.0 * optax.losses.huber_loss(p, jax.nn.one_hot(t, 3)).sum(-1)
    options = dict(loss=loss, optimizer=optax.sgd(1e-3, momentum=0.9), batch_size=4, precision="float16", verbose=False)
    start = net.init(0, x)
    few = fit(net, x[:4], y[:4], start=start, **options)
    assert few.session.scale == (FIRST / 2, 0) and few.session.steps == 1
    same = [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(few.params), jax.tree.leaves(start[0]))]
    assert all(same), "skipped"
    assert all(np.all(np.asarray(m) == 0) for m in jax.tree.leaves(few.session.optimizer_state))
    assert np.isfinite(few.history[0]["loss"])
    on = few.fit(x, y, epochs=4)
    assert on.session.scale.factor < FIRST / 2
    assert on.history[-1]["loss"] < 0.8 * on.history[0]["loss"]


def test_small_gradients_survive_in_float16():
    """A loss whose gradients underflow float16 unless they are scaled."""
    net = compose_seq(fc(8, relu), fc(1))
    y = VECTORS.sum(1, keepdims=True)
    loss = lambda p, t: 1e-7 * jnp.square(p - t)
    options = dict(loss=loss, optimizer=optax.sgd(1e5), epochs=3, batch_size=48, verbose=False)
    exact = fit(net, VECTORS, y, **options).history[-1]["loss"]
    assert fit(net, VECTORS, y, precision="float16", **options).history[-1]["loss"] == pytest.approx(exact, rel=0.05)


def test_going_on_keeps_the_scale():
    whole = train("mlp", epochs=4, precision="float16")
    on = train("mlp", epochs=2, precision="float16").fit(*NETWORKS["mlp"][1:], epochs=2)
    assert on.session.scale == whole.session.scale
    for a, b in zip(jax.tree.leaves(on.params), jax.tree.leaves(whole.params)):
        np.testing.assert_array_equal(a, b)
