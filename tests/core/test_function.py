"""Functions as layers: conversion, options, signatures and help."""

import functools
import inspect
import pydoc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import compose
from compose import add, compose_seq, fc, leaky_relu, relu, repeat_vector, softmax, tanh
from compose.core.errors import ConfigError
from compose.core.function import Function


def test_functions_lift():
    assert compose_seq(jnp.tanh) == compose_seq(tanh)
    assert compose_seq(functools.partial(jax.nn.softmax, axis=0)) == compose_seq(softmax(axis=0))
    assert compose_seq("relu") == compose_seq(relu)
    x = jnp.arange(6.0).reshape(2, 3)
    for fn in (jnp.sin, lambda x: x * 2, functools.partial(jnp.sum, axis=1), jax.jit(lambda x: x + 1)):
        np.testing.assert_allclose(compose_seq(fn).apply({}, {}, x)[0], fn(x), rtol=1e-6)


def test_options_that_equal_the_default_are_none():
    assert softmax(axis=-1) == softmax
    assert str(softmax(axis=0)) == "softmax(axis=0)"
    assert softmax(axis=0)(axis=-1) == softmax


def test_the_signature_shows_the_options():
    assert str(inspect.signature(leaky_relu)) == "(x, *, negative_slope: 'float' = 0.01, name: 'str | None' = None)"
    assert inspect.signature(leaky_relu(negative_slope=0.2)).parameters["negative_slope"].default == 0.2
    assert inspect.signature(tanh(name="t")).parameters["name"].default == "t"
    assert list(inspect.signature(add).parameters) == ["xs", "name"]
    assert str(inspect.signature(repeat_vector)) == "(x, *, times: 'int', name: 'str | None' = None)"


def test_help_shows_the_options_and_the_docstring():
    text = pydoc.plain(pydoc.render_doc(leaky_relu))
    assert "leaky_relu(x, *, negative_slope: 'float' = 0.01" in text
    assert leaky_relu.__doc__.splitlines()[0] in text


def test_every_registered_function_has_a_signature():
    functions = [f for f in vars(compose).values() if isinstance(f, Function)]
    assert len(functions) > 50
    assert all("name" in inspect.signature(f).parameters for f in functions)


def test_a_function_does_not_bind_as_a_class_attribute():
    class Holder:
        activation = relu

    assert Holder().activation is relu and Holder.activation is relu
    assert fc(3, relu).activation == relu


def test_a_registered_function_computes_prints_and_parses_by_its_name():
    @compose.register
    def doubled_for_the_test(x, by: float = 2.0):
        """Twice the input."""
        return by * x

    assert doubled_for_the_test.__doc__ == "Twice the input."
    net = compose_seq(fc(3), doubled_for_the_test(by=3.0))
    assert str(net) == "compose_seq(fc(3), doubled_for_the_test(by=3.0))"
    assert compose.parse(str(net)) == net
    with pytest.raises(ConfigError, match="a function or a Layer class"):
        compose.register(3)
