"""Random erasing."""

import jax
import jax.numpy as jnp
import numpy as np

from compose import (
    random_erasing,
)


def drawn(layer, x):
    return layer.apply({}, {}, x, rng=jax.random.key(0), train=True)[0]


def test_erasing_fills_a_box_of_each_image():
    x = jnp.zeros((300, 20, 30, 2))
    y = np.asarray(drawn(random_erasing(0.5, (0.25, 0.25), 1.0), x))
    erased = y.any((1, 2, 3))
    assert abs(erased.mean() - 0.5) < 0.15 and len(np.unique(y.reshape(300, -1), axis=0)) > 100
    for image in y[erased][..., 0]:
        rows, columns = image.any(1), image.any(0)
        assert np.array_equal(image, np.outer(rows, columns)) and rows.sum() <= 10 and columns.sum() <= 15
        assert np.abs(np.diff(np.pad(rows, 1).astype(int))).sum() == 2
    assert np.array_equal(random_erasing()(x), x)
