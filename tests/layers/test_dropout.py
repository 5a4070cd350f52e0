"""Dropout, noise and augmentation: what is drawn, how often, what shares a draw, and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from compose import (
    alpha_dropout,
    compose_seq,
    drop_path,
    dropout,
    gaussian_dropout,
    gaussian_noise,
    random_brightness,
    random_contrast,
    random_crop,
    random_flip,
    spatial_dropout,
)
from compose.core.errors import ConfigError, DtypeError, MissingRng, ShapeError


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


@pytest.mark.parametrize(
    "layer, one_draw",
    [
        (dropout(0.25), ()),
        (dropout(0.25, (1, -1)), (1, 3)),
        (spatial_dropout(0.25), (1, 2)),
        (spatial_dropout(0.25, channels_first=True), (2, 3)),
        (drop_path(0.25), (1, 2, 3)),
    ],
    ids=str,
)
def test_kept_or_zero_and_which_share_a_draw(layer, one_draw):
    x = jnp.ones((400, 12, 8, 16))
    y = drawn(layer, x)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    one = y[tuple(slice(1) if i in one_draw else slice(None) for i in range(4))]
    assert np.array_equal(np.broadcast_to(one, y.shape), y)
    assert abs((one == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / one.size)
    for axis in set(range(4)) - set(one_draw):
        assert np.ptp(one, axis).any()


@pytest.mark.parametrize(
    "layer", [dropout(0.25), gaussian_dropout(0.25), alpha_dropout(0.25), drop_path(0.25)], ids=str
)
def test_the_gradient_has_the_same_draw(layer, x64, rng):
    x = jnp.asarray(rng.normal(size=(50, 4)))
    run = lambda x: layer.apply({}, {}, x, rng=jax.random.key(0), train=True)[0]
    slope = jax.grad(lambda x: run(x).sum())(x)
    np.testing.assert_allclose(run(x) - run(jnp.zeros_like(x)), slope * x, atol=1e-12)
    assert np.any(slope != 1)


def test_a_rate_of_one_is_zero_and_of_zero_nothing():
    x = jnp.ones((3, 4))
    assert not np.any(drawn(dropout(1), x)) and np.array_equal(drawn(dropout(0), x), x)
    for layer in (alpha_dropout(0), gaussian_dropout(0), gaussian_noise(0)):
        assert np.array_equal(layer.apply({}, {}, x, train=True)[0], x)


def test_two_layers_and_two_keys_draw_apart():
    x = jnp.ones((100, 10))
    twice = drawn(compose_seq(dropout(0.5), dropout(0.5)), x)
    assert abs((twice == 0).mean() - 0.75) < 0.07
    assert not np.array_equal(drawn(dropout(0.5), x), drawn(dropout(0.5), x, seed=1))


def test_alpha_dropout_takes_torch_values_and_keeps_the_moments(rng):
    x = np.ones((100, 100), np.float32)
    torch.manual_seed(0)
    theirs = torch.nn.functional.alpha_dropout(torch.tensor(x), 0.3, training=True).unique()
    np.testing.assert_allclose(np.unique(drawn(alpha_dropout(0.3), x)), theirs, atol=1e-6)
    x = rng.normal(size=(400, 1000)).astype(np.float32)
    y = drawn(alpha_dropout(0.3), x)
    assert abs(y.mean()) < 0.01 and abs(y.var() - 1) < 0.01
    together = drawn(alpha_dropout(0.3, (1,)), x)
    assert set(np.unique(np.ptp(together, 1) == 0)) == {False, True}


@pytest.mark.parametrize("mode, axes", [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2])])
def test_flips(mode, axes, rng):
    x = rng.integers(0, 9, (200, 3, 4, 2))
    y = drawn(random_flip(mode), x)
    forms = [x]
    for axis in axes:
        forms += [np.flip(form, axis) for form in forms]
    seen = np.array([[np.array_equal(a, b) for a, b in zip(y, form)] for form in forms])
    assert seen.any(0).all()
    assert np.all(abs(seen.mean(1) - 1 / len(forms)) < 0.15)


def test_crops_come_from_everywhere(rng):
    x = np.broadcast_to(np.arange(20).reshape(1, 4, 5, 1), (300, 4, 5, 1))
    y = drawn(random_crop((3, 3)), x)
    corners = y[:, 0, 0, 0]
    assert set(corners) == {0, 1, 2, 5, 6, 7}
    assert np.array_equal(y[:, :, :, 0], corners[:, None, None] + np.arange(3)[:, None] * 5 + np.arange(3))


def test_contrast_and_brightness_are_each_one_number_an_example(rng):
    x = rng.normal(size=(200, 4, 5, 3)).astype(np.float32)
    centred = lambda a: a - a.mean((1, 2), keepdims=True)
    ratio = centred(drawn(random_contrast(0.3), x)) / centred(x)
    assert np.all(np.ptp(ratio.reshape(200, -1), 1) < 1e-2)
    assert 0.69 < ratio[:, 0, 0, 0].min() < 0.75 and 1.25 < ratio[:, 0, 0, 0].max() < 1.31
    added = drawn(random_brightness(0.3), x) - x
    assert np.all(np.ptp(added.reshape(200, -1), 1) < 1e-5) and -0.3 < added.min() < -0.25 < 0.25 < added.max() < 0.3


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: dropout(1.5), None, ConfigError, "a rate from 0 to 1"),
        (lambda: drop_path(-0.1), None, ConfigError, "a rate from 0 to 1"),
        (lambda: alpha_dropout(1), None, ConfigError, "a rate from 0 to below 1"),
        (lambda: gaussian_dropout(1), None, ConfigError, "a rate from 0 to below 1"),
        (lambda: gaussian_noise(-1), None, ConfigError, "a stddev of at least 0"),
        (lambda: random_brightness(-1), None, ConfigError, "a factor of at least 0"),
        (lambda: random_flip("up"), None, ConfigError, "'horizontal' or 'vertical' or 'both'"),
        (lambda: random_flip(), (8, 3), ShapeError, r"\(batch, height, width, channels\)"),
        (lambda: random_crop(9), (8, 8, 3), ShapeError, "an input of at least"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match=text):
        build().out(shape)


def test_errors_at_the_input():
    with pytest.raises(ShapeError, match="axes of the input's 2, got"):
        dropout(0.5, (2,)).apply({}, {}, jnp.ones((2, 3)), rng=0, train=True)
    with pytest.raises(MissingRng, match="an rng"):
        drop_path(0.5).apply({}, {}, jnp.ones((2, 3)), train=True)
    for layer in (dropout(0.5), gaussian_noise(1), random_contrast(0.5)):
        with pytest.raises(DtypeError, match="a floating-point input"):
            layer.init(0, jnp.ones((2, 3, 3, 1), int))
