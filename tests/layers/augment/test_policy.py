"""Policies of augmentation: each image is changed by one of the operations, its own, and mixed within range."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import aug_mix, auto_contrast, equalize, rand_augment, solarize
from compose.core.context import Context
from compose.core.errors import ConfigError, DtypeError, ShapeError
from tests.cases.subject import FAST_COMPILE

N, TRAIN = 120, Context(train=True, key=jax.random.key(0))


@pytest.fixture(scope="module")
def images():
    one = np.random.default_rng(0).uniform(0.05, 0.75, (1, 6, 7, 3)).astype(np.float32)
    return jnp.asarray(np.broadcast_to(one, (N, 6, 7, 3)))


@functools.cache
def compiled(layer):
    return jax.jit(lambda x, key: layer.apply({}, {}, x, rng=key, train=True)[0], compiler_options=FAST_COMPILE)


def drawn(layer, x, seed=0):
    return np.asarray(compiled(layer)(x, jax.random.key(seed)))


def equal(images, one):
    return np.abs(images - np.asarray(one)).max((1, 2, 3)) < 1e-5


@pytest.mark.slow
def test_one_step_is_one_of_the_operations_for_each_image(images):
    """Those that draw no number of their own show how often each is taken: once in twelve."""
    layer = rand_augment(1, 0.4)
    y = drawn(layer, images)
    posterized = layer.changes[7].forward({}, images[:1], TRAIN)
    for made in (
        images[0],
        auto_contrast(images[:1]),
        solarize(threshold=0.6)(images[:1]),
        equalize(images[:1]),
        posterized,
    ):
        assert 2 <= equal(y, made).sum() <= 25
    assert len(np.unique(y.round(5).reshape(N, -1), axis=0)) > N / 3, "the others draw their own number"


def test_no_strength_changes_only_what_has_none(images):
    """At factor 0 all but the stretched and the equalized contrast are the identity, to the 8 bits of posterize."""
    y = drawn(rand_augment(1, 0.0), images)
    changed = np.abs(y - images).max((1, 2, 3)) > 1 / 255
    assert 0 < changed.sum() < N / 3
    stretched, equalized = (equal(y[changed], change(images[:1])) for change in (auto_contrast, equalize))
    assert np.all(stretched | equalized) and stretched.any() and equalized.any()


@pytest.mark.slow
def test_more_steps_change_more(images):
    moved = [np.abs(drawn(rand_augment(steps), images) - images).mean() for steps in (1, 3)]
    assert moved[1] > 1.3 * moved[0]


@pytest.mark.slow
def test_aug_mix_lies_between_the_image_and_its_chain(images):
    """With one chain of one step at factor 0 each mixture is on the line to the stretched or the equalized image."""
    moved = drawn(aug_mix(1, 1, 0.0), images) - images[0]
    left, shares = np.abs(moved).max((1, 2, 3)), []
    for change in (auto_contrast, equalize):
        way = np.asarray(change(images[:1]) - images[:1])
        share = (moved * way).sum((1, 2, 3)) / (way**2).sum()
        off = np.abs(moved - share[:, None, None, None] * way).max((1, 2, 3))
        shares.append(share[(off < 1e-5) & (share > 0.02)])
        left = np.minimum(left, off)
    assert left.max() < 1.01 / 255, "but for posterize, which keeps 8 bits"
    for share in shares:
        assert 2 <= len(share) < N / 3 and share.max() < 1 + 1e-5 and len(np.unique(share.round(4))) == len(share)


@pytest.mark.slow
def test_many_even_chains_agree_more_than_one(images):
    spread = [drawn(aug_mix(chains, 1, 0.8, 50.0), images[:40]).std(0).mean() for chains in (1, 12)]
    assert spread[1] < 0.6 * spread[0]


@pytest.mark.slow
@pytest.mark.parametrize("layer", [rand_augment(), aug_mix(2, 2)], ids=str)
def test_range_rng_and_inference(layer, images):
    y = drawn(layer, images)
    assert y.min() >= 0 and y.max() <= 1 and np.all(np.isfinite(y))
    assert len(np.unique(y.round(5).reshape(N, -1), axis=0)) > N / 2
    assert np.array_equal(y, drawn(layer, images)) and not np.array_equal(y, drawn(layer, images, 1))
    assert np.array_equal(layer(images), images)


@pytest.mark.parametrize(
    "build, x, error, text",
    [
        (lambda: rand_augment(0), None, ConfigError, "at least one step"),
        (lambda: rand_augment(factor=1.5), None, ConfigError, "a factor from 0 to 1"),
        (lambda: aug_mix(alpha=0.0), None, ConfigError, "an alpha above 0"),
        (rand_augment, jnp.ones((2, 8, 8, 1)), ShapeError, "images with 3 channels"),
        (aug_mix, jnp.ones((2, 8, 3)), ShapeError, "height, width"),
        (aug_mix, jnp.ones((2, 8, 8, 3), jnp.uint8), DtypeError, "a floating-point input"),
    ],
)
def test_errors(build, x, error, text):
    with pytest.raises(error, match=text):
        build().init(0, x)
