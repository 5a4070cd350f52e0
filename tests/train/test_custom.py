"""Losses that run the network themselves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import compose
from compose import batch_norm, compose_seq, dropout, fc, parallel, relu, schedules, spec
from compose.core.errors import ConfigError, LayerError
from compose.train import fit
from compose.train.custom import is_custom

NET = compose_seq(fc(8), batch_norm(), relu, dropout(0.3), fc(3))
X = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
Y = np.arange(50) % 3
OPTIONS = dict(epochs=3, batch_size=16, verbose=False)


def cross_entropy(net, params, state, batch, rng, train):
    x, y = batch
    z, state = net.apply(params, state, x, rng=rng, train=train)
    return optax.softmax_cross_entropy_with_integer_labels(z, y).mean(), state, {"accuracy": (z.argmax(-1) == y).mean()}


@pytest.mark.slow
def test_the_same_as_the_loss_by_name():
    ours = fit(NET, X, Y, loss=cross_entropy, validation=0.2, **OPTIONS)
    theirs = fit(NET, X, Y, loss="cross_entropy", metrics="accuracy", validation=0.2, **OPTIONS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ours.params, theirs.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ours.state, theirs.state)
    for a, b in zip(ours.history, theirs.history, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == pytest.approx(
            {k: v for k, v in b.items() if k != "seconds"}, abs=1e-6
        )
    assert ours.evaluate(X, Y) == pytest.approx(theirs.evaluate(X, Y), abs=1e-6)


@pytest.mark.slow
def test_everything_else_of_fit(tmp_path):
    options = dict(
        OPTIONS, ema=0.9, accumulate=2, l2=1e-3, freeze="fc_0/**", clip=1.0, learning_rate=schedules.one_cycle(1e-2),
        callbacks=[compose.callbacks.early_stopping("loss")],
    )  # fmt: skip
    ours = fit(NET, X, Y, loss=cross_entropy, checkpoint=tmp_path, **options)
    again = fit(NET, X, Y, loss=cross_entropy, checkpoint=tmp_path, **options)
    theirs = fit(NET, X, Y, loss="cross_entropy", **options)
    jax.tree.map(np.testing.assert_array_equal, ours.params, again.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ours.params, theirs.params)


@pytest.mark.slow
def test_a_lambda_of_two_views_without_targets():
    net = compose_seq(fc(16, relu), fc(4))

    def views(net, params, state, batch, rng):
        one, _ = net.apply(params, state, batch)
        two, _ = net.apply(params, state, batch + 0.1 * jax.random.normal(rng, batch.shape))
        return -jnp.mean(optax.cosine_similarity(one, two))

    trained = fit(net, X, loss=views, **OPTIONS)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    streamed = fit(net, lambda: [{"a": X}], inputs=spec(5), loss=lambda net, params, state, batch, rng: views(
        net, params, state, batch["a"], rng), **OPTIONS)  # fmt: skip
    assert np.isfinite(streamed.history[-1]["loss"])


def test_two_networks_against_each_other():
    """A GAN in one loss: each part gets the gradient of its own term."""
    net = parallel(fc(2, name="maker"), compose_seq(fc(16, relu), fc(1), name="judge"))
    data = np.random.default_rng(1).normal([2, -1], 0.1, (200, 2)).astype(np.float32)

    def gan(net, params, state, batch, rng):
        z, real = batch
        made = net["maker"].apply(params["maker"], {}, z)[0]
        judge = lambda p, x: net["judge"].apply(p, {}, x)[0]
        fooled = optax.sigmoid_binary_cross_entropy(judge(jax.lax.stop_gradient(params["judge"]), made), 1.0).mean()
        told = optax.sigmoid_binary_cross_entropy(judge(params["judge"], jax.lax.stop_gradient(made)), 0.0).mean()
        kept = optax.sigmoid_binary_cross_entropy(judge(params["judge"], real), 1.0).mean()
        return fooled + told + kept, None, {"fooled": fooled}

    z = np.random.default_rng(2).normal(size=(200, 2)).astype(np.float32)
    trained = fit(net, (z, data), loss=gan, learning_rate=1e-2, epochs=40, batch_size=50, verbose=False)
    made = net["maker"].apply(trained.params["maker"], {}, z)[0]
    assert np.abs(np.asarray(made).mean(0) - [2, -1]).max() < 0.7
    assert set(trained.history[0]) == {"epoch", "seconds", "loss", "fooled"}


def test_by_its_number_of_arguments():
    assert is_custom(cross_entropy)
    assert is_custom(lambda a, b, c, d, e: 0)
    assert not is_custom(lambda predictions, targets: 0)
    assert not is_custom(lambda predictions, targets, c=1, d=2, e=3: 0)
    assert not is_custom("mse") and not is_custom(optax.l2_loss)


@pytest.mark.parametrize(
    "loss, options, message",
    [
        (lambda n, p, s, b, r: jnp.ones(3), {}, r"one number, got shape \(3,\)"),
        (lambda n, p, s, b, r: 1.0, {}, "a loss that returns a number"),
        (lambda n, p, s, b, r: (jnp.float32(1), {"a": 1}), {}, "the network's state, or None"),
        (lambda n, p, s, b, r: (jnp.float32(1), None, {"a": jnp.ones(2)}), {}, "a dict of single numbers"),
        (cross_entropy, dict(metrics="accuracy"), "no metrics with a loss of"),
        (cross_entropy, dict(class_weight="balanced"), "no class_weight"),
        (cross_entropy, dict(precision="bfloat16"), "no precision with a loss"),
        (cross_entropy, dict(sample_weight=np.ones(50)), "no sample_weight"),
    ],
)
def test_what_such_a_loss_cannot_be(loss, options, message):
    with pytest.raises(ConfigError, match=message):
        fit(NET, X, Y, loss=loss, **OPTIONS, **options)


def test_an_input_that_is_not_x_is_given_by_inputs():
    loss = lambda net, params, state, x, rng: jnp.mean(x)
    with pytest.raises(LayerError, match=r"(?s)fix.*inputs= says what it is, as in inputs=\(spec\(64\), spec\(4\)\)"):
        fit(parallel(fc(2), fc(2)), X, loss=loss, **OPTIONS)
