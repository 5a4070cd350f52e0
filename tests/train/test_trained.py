"""What training returns."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import compose
from compose import branch, compose_seq, dropout, fc, relu, softmax
from compose.core.errors import ConfigError
from compose.train import Trained, fit

NET = compose_seq(fc(8, relu), dropout(0.5), fc(3, softmax))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


@pytest.fixture(scope="module")
def trained() -> Trained:
    return fit(NET, X, Y, loss="cross_entropy", epochs=2, batch_size=10, metrics=("accuracy", "top_2"), verbose=False)


def test_it_holds_the_network_and_what_it_learnt(trained):
    assert trained.net == NET
    assert trained.inputs == jax.ShapeDtypeStruct((1, 5), jnp.float32)
    assert [epoch["epoch"] for epoch in trained.history] == [1.0, 2.0]
    assert all(type(v) is float for epoch in trained.history for v in epoch.values())
    assert list(trained.history[0]) == ["epoch", "seconds", "loss", "accuracy", "top_2"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        trained.net = fc(3)
    text = str(trained)
    assert text.startswith("Trained(2 epochs, loss ")
    assert text.endswith(f"\n{NET}")


def test_predictions_do_not_depend_on_the_batch(trained):
    expected, _ = NET.apply(trained.params, trained.state, X)
    for batch_size in (1, 7, 20, 100):
        np.testing.assert_allclose(trained.predict(X, batch_size=batch_size), expected, rtol=1e-5)
    np.testing.assert_allclose(trained.predict(X.tolist()), expected, rtol=1e-5)


def test_a_network_of_several_outputs_predicts_a_tuple():
    net = branch(fc(2), fc(3))
    params, state = net.init(0, X)
    outs = Trained(net, params, state, (), jax.ShapeDtypeStruct((1, 5), jnp.float32)).predict(X, batch_size=6)
    assert [o.shape for o in outs] == [(20, 2), (20, 3)]


def test_evaluate_measures_without_dropout(trained):
    y = np.asarray(NET.apply(trained.params, trained.state, X)[0])
    measured = trained.evaluate(X, Y, batch_size=7)
    assert measured["loss"] == pytest.approx(-np.log(y[np.arange(20), Y]).mean(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((y.argmax(1) == Y).mean())
    assert list(trained.evaluate(X, Y, metrics=())) == ["loss"]
    assert list(trained.evaluate(X, np.eye(3)[Y].astype(np.float32), loss="mse", metrics="mae")) == ["loss", "mae"]


def test_without_the_options_of_a_training_a_loss_is_wanted(trained):
    bare = dataclasses.replace(trained, session=None)
    with pytest.raises(ConfigError, match="a loss, since this network comes without the options it was trained with"):
        bare.fit(X, Y)
    with pytest.raises(ConfigError, match="a loss, since"):
        bare.evaluate(X, Y)
    assert bare.evaluate(X, Y, loss="cross_entropy")["loss"] == trained.evaluate(X, Y)["loss"]
    with pytest.warns(UserWarning, match="the optimizer starts anew"):
        assert len(bare.fit(X, Y, loss="cross_entropy", batch_size=10, verbose=False).history) == 3


def test_an_edited_network_goes_on_from_the_same_parameters(trained):
    edited = NET.replace("dropout_0", dropout(0.1))
    on = edited.fit(X, Y, loss="cross_entropy", batch_size=10, start=trained, verbose=False)
    assert on.net == edited
    assert len(on.history) == 3


def test_the_package_loads_optax_only_to_train():
    code = "import sys, compose; assert 'optax' not in sys.modules; compose.fit; assert 'optax' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_names_at_the_top():
    assert compose.fit is fit
    assert compose.Trained is Trained
