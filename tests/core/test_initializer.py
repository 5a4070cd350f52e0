"""Initializers are values with options."""

import pickle

import jax
import jax.numpy as jnp
import pytest

from compose import glorot_uniform, normal
from compose.core.errors import ConfigError
from compose.core.initializer import Initializer, initializer


def test_options_make_a_copy_and_defaults_are_dropped():
    assert normal(stddev=0.02) == normal(stddev=0.02) != normal
    assert hash(normal(stddev=0.02)) == hash(normal(stddev=0.02))
    assert normal(stddev=0.02)(stddev=0.01) == normal


def test_an_unknown_option_lists_those_that_there_are():
    with pytest.raises(ConfigError, match=r"expected an option that normal takes \(.*stddev.*\), got 'scale'"):
        normal(scale=2.0)


def test_a_pickle_is_the_same_value():
    for init in (glorot_uniform, normal(stddev=0.02)):
        assert pickle.loads(pickle.dumps(init)) == init


def test_a_custom_initializer_draws_with_its_fans():
    @initializer
    def by_fan_in_for_the_test(key, shape, dtype, fans, scale=1.0):
        return jnp.full(shape, scale / fans[0], dtype)

    assert isinstance(by_fan_in_for_the_test, Initializer)
    drawn = by_fan_in_for_the_test(scale=3.0).draw(jax.random.key(0), (6, 2), jnp.float32, (6, 2))
    assert (drawn == 0.5).all()
    assert repr(by_fan_in_for_the_test(scale=3.0)) == "by_fan_in_for_the_test(scale=3.0)"
