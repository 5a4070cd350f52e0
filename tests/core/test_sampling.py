"""Random draws for initializers: the same values in every mode, few compilations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.core.sampling import draw

key = jax.random.key(3)


@pytest.mark.parametrize("kind", ["uniform", "normal", "truncated_normal"])
def test_draws_are_equal_eagerly_under_jit_and_under_vmap(kind):
    run = lambda key: draw(kind, key, (3, 5), jnp.float32)
    eager = run(key)
    np.testing.assert_array_equal(jax.jit(run)(key), eager)
    np.testing.assert_array_equal(jax.vmap(run)(key[None])[0], eager)


def test_a_smaller_draw_is_the_start_of_a_larger_one():
    np.testing.assert_array_equal(draw("normal", key, (7,), jnp.float32), draw("normal", key, (200,), jnp.float32)[:7])


@pytest.mark.parametrize("kind, low, high", [("uniform", 0, 1), ("truncated_normal", -2, 2)])
def test_bounds_and_moments(kind, low, high):
    values = draw(kind, key, (100, 100), jnp.float32)
    assert values.min() >= low and values.max() <= high
    assert abs(values.mean() - (low + high) / 2) < 0.03


def test_an_empty_array_and_a_dtype():
    assert draw("normal", key, (0, 3), jnp.bfloat16).shape == (0, 3)
    assert draw("normal", key, (2,), jnp.bfloat16).dtype == jnp.bfloat16
