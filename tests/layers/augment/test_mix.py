"""Mixed images and labels: with one class for each example, the labels say what the images must be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import cut_mix, mix_up
from compose.core.errors import ConfigError, DtypeError, ShapeError

N = 64
BOTH = pytest.mark.parametrize("layer", [mix_up(1.0), cut_mix()], ids=str)


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (N, 12, 10, 3)).astype(np.float32)


def drawn(layer, images, seed=0):
    """Each example a class of its own: a row of the labels is what the example consists of."""
    made = layer.apply({}, {}, images, jnp.eye(N), rng=jax.random.key(seed), train=True)[0]
    return tuple(np.asarray(part) for part in made)


def test_mix_up_mixes_the_images_as_the_labels(images):
    mixed, shares = drawn(mix_up(1.0), images)
    np.testing.assert_allclose(mixed, np.einsum("ij,jhwc->ihwc", shares, images), atol=1e-6)


def test_cut_mix_pastes_one_box_of_as_many_pixels_as_the_label_says(images):
    mixed, shares = drawn(cut_mix(), images)
    pasted = 0
    for i, row in enumerate(shares):
        own = np.all(mixed[i] == images[i], -1)
        others = np.flatnonzero((row > 0) & (np.arange(N) != i))
        assert len(others) <= 1 and row[i] == pytest.approx(own.mean(), abs=1e-6)
        if len(others):
            box = ~own
            assert np.array_equal(box, np.outer(box.any(1), box.any(0))), "a box"
            for lines in (box.any(1), box.any(0)):
                assert np.abs(np.diff(np.pad(lines, 1).astype(int))).sum() == 2, "without gaps"
            assert np.array_equal(mixed[i][box], images[others[0]][box]), "from the same place of the other"
            pasted += 1
    assert pasted > N / 2


@BOTH
def test_labels_keep_their_mass_and_each_example_gives_and_takes(layer, images):
    _, shares = drawn(layer, images)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert shares.min() >= 0 and np.all((shares > 0).sum(1) <= 2)
    kept = np.diag(shares)
    assert len(np.unique(kept.round(4))) > 15, "each its own weight, to whole pixels"
    assert kept.mean() == pytest.approx(0.5, abs=0.12), "the mean of Beta(1, 1)"


def test_small_alphas_mix_little(images):
    kept = np.diag(drawn(mix_up(0.05), images)[1])
    assert np.mean(np.minimum(kept, 1 - kept) < 0.05) > 0.7


@BOTH
def test_the_same_rng_draws_the_same_and_inference_changes_nothing(layer, images):
    first, again, other = drawn(layer, images), drawn(layer, images), drawn(layer, images, 1)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    same, labels = layer(images, jnp.eye(N))
    assert np.array_equal(same, images) and np.array_equal(labels, np.eye(N))


@pytest.mark.parametrize(
    "inputs, error, text",
    [
        ((jnp.ones((2, 8, 8, 3)), jnp.ones((2, 4)), jnp.ones((2, 4))), ShapeError, "images .* and labels"),
        ((jnp.ones((2, 8, 8, 3)), jnp.ones((3, 4))), ShapeError, "images .* and labels"),
        ((jnp.ones((2, 8, 3)), jnp.ones((2, 4))), ShapeError, "height, width"),
        ((jnp.ones((2, 8, 8, 3)), jnp.ones((2, 4), jnp.int32)), DtypeError, "a floating-point input"),
    ],
)
@BOTH
def test_errors(layer, inputs, error, text):
    with pytest.raises(error, match=text):
        layer.init(0, *inputs)


def test_alpha_is_above_0():
    with pytest.raises(ConfigError, match="an alpha above 0"):
        mix_up(0.0)
