"""Losses before a final `unstandardize`, metrics after it."""

import jax.numpy as jnp
import numpy as np
import pytest

import compose
from compose import branch, clip, compose_seq, fc, losses, standardize


@pytest.fixture
def kilograms(rng):
    x = (rng.normal(size=(64, 2)) * [10, 0.1] + [170, 1]).astype(np.float32)
    y = (0.9 * x[:, :1] - 90 + rng.normal(size=(64, 1))).astype(np.float32) * 1000
    return x, y


def test_predictions_are_in_the_unit_and_the_loss_is_of_normalised_targets(kilograms, tmp_path):
    x, y = kilograms
    ends = standardize.fit(y)
    net = compose_seq(standardize.fit(x), fc(1), ends.inverse)
    options = dict(optimizer="adam", learning_rate=0.05, epochs=20, metrics=["rmse", "mae"], verbose=False)
    trained = net.fit(x, y, loss="mse", **options)
    plain = net[:-1].fit(x, ends(y), loss="mse", **options)
    np.testing.assert_allclose([r["loss"] for r in trained.history], [r["loss"] for r in plain.history], rtol=1e-5)
    np.testing.assert_allclose(trained.predict(x), ends.inverse(plain.predict(x)), rtol=1e-5)

    p = np.asarray(trained.predict(x))
    found = trained.evaluate(x, y)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((p - y) ** 2)), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(np.abs(p - y)), rel=1e-5)
    assert found["loss"] == pytest.approx(np.mean(((p - y) / ends.std) ** 2), rel=1e-4)

    trained.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(compose.load(tmp_path / "net.safetensors").predict(x), p)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mae", losses.huber(delta=0.3), "log_cosh", losses.quantile(q=0.9)])
@pytest.mark.parametrize("precision", [None, "bfloat16"])
def test_every_loss_of_errors_is_of_normalised_targets(kilograms, loss, precision):
    x, y = kilograms
    ends = standardize.fit(y)
    x = np.asarray(standardize.fit(x)(x))
    trained = compose_seq(fc(1), ends.inverse).fit(x, y, loss=loss, precision=precision, verbose=False)
    plain = compose_seq(fc(1)).fit(x, ends(y), loss=loss, precision=precision, verbose=False)
    assert trained.history[0]["loss"] == pytest.approx(plain.history[0]["loss"], rel=1e-3)


@pytest.mark.slow
def test_other_losses_and_other_endings_are_of_the_output_itself(kilograms):
    x, y = kilograms
    ends = standardize.fit(y)
    net = compose_seq(standardize.fit(x), fc(1), ends.inverse)
    square = lambda p, t: jnp.square(p - t)
    for case, loss in ((net, square), (compose_seq(net, clip(min=0.0)), "mse")):
        trained = case.fit(x, y, loss=loss, verbose=False)
        error = np.mean((np.asarray(trained.predict(x)) - y) ** 2)
        assert trained.evaluate(x, y)["loss"] == pytest.approx(error, rel=1e-5)


@pytest.mark.slow
def test_one_of_several_outputs(kilograms):
    x, y = kilograms
    ends = standardize.fit(y)
    net = compose_seq(standardize.fit(x), branch(compose_seq(fc(1), ends.inverse, name="a"), fc(1, name="b")))
    trained = net.fit(x, {"a": y, "b": y}, loss={"a": "mse", "b": "mse"}, metrics={"a": "rmse"}, verbose=False)
    a, b = map(np.asarray, trained.predict(x))
    found = trained.evaluate(x, {"a": y, "b": y})
    assert found["a_loss"] == pytest.approx(np.mean(((a - y) / ends.std) ** 2), rel=1e-4)
    assert found["b_loss"] == pytest.approx(np.mean((b - y) ** 2), rel=1e-4)
    assert found["a_rmse"] == pytest.approx(np.sqrt(np.mean((a - y) ** 2)), rel=1e-4)
