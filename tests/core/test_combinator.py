"""Combinators of one method, and layers that stand for an expression."""

import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, dropout, fc, relu
from compose.core.combinator import Combinator, Composite
from compose.core.errors import ShapeError
from compose.core.layer import Layer, unlisted

x = jnp.linspace(-1.0, 1.0, 8).reshape(2, 4)


@unlisted
class twice(Combinator):
    """The sum of two layers, the second on the output of the first."""

    first: Layer
    second: Layer

    def flow(self, x, run):
        return run("second", self.second, run("first", self.first, x))


@unlisted
class block(Composite):
    """A dense layer as wide as its input, and relu."""

    draws = False

    def expand(self, x):
        return compose_seq(fc(x.shape[-1]), relu)


def test_flow_plans_and_computes():
    net = twice(fc(3), fc(2))
    params, state = net.init(0, x)
    assert {key: p["kernel"].shape for key, p in params.items()} == {"first": (4, 3), "second": (3, 2)}
    hidden = x @ params["first"]["kernel"] + params["first"]["bias"]
    expected = hidden @ params["second"]["kernel"] + params["second"]["bias"]
    np.testing.assert_allclose(net.apply(params, state, x)[0], expected, rtol=1e-6)


def test_an_error_inside_has_the_path_and_the_shapes_before_it():
    with pytest.raises(ShapeError) as caught:
        twice(fc(3), lambda x: x @ jnp.ones((4, 4))).init(0, x)
    assert caught.value.path == ("second",)
    assert [key for key, _ in caught.value.trail] == ["input", "first"]


def test_intermediates_are_the_outputs_by_path():
    net = twice(dropout(0.5), compose_seq(relu, fc(2)))
    params, state = net.init(0, x)
    outputs = net.intermediates(params, state, x)
    assert list(outputs) == ["first", "second/relu_0", "second/fc_0", "second"]
    np.testing.assert_array_equal(outputs["second/relu_0"], jnp.maximum(x, 0))


def test_a_composite_has_the_parameters_of_its_expression():
    params, state = block().init(0, x)
    assert params["fc_0"]["kernel"].shape == (4, 4)
    assert str(block()) == "block()"
    expected = compose_seq(fc(4), relu).apply(params, state, x)[0]
    np.testing.assert_array_equal(block().apply(params, state, x)[0], expected)
