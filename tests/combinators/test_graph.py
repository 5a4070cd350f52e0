"""Graphs: tracing, nesting, arithmetic and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    compose_seq,
    fc,
    graph,
    parallel,
    parse,
    relu,
    residual,
    sigmoid,
    softmax,
    subtract,
)
from compose.core.errors import ConfigError, ShapeError
from tests.cases.case import label

x = jnp.linspace(-1, 1, 12).reshape(3, 4)
y = jnp.linspace(2, 3, 12).reshape(3, 4)


def run(net, *inputs):
    params, state = net.init(0, *inputs)
    return params, net.apply(params, state, *inputs)[0]


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def test_the_graph_of_the_handbook():
    net = graph(lambda x, c: (h := fc(6, relu)(x)) * fc(6, sigmoid)(c) + h)
    params, z = run(net, x, y)
    h = jax.nn.relu(dense(params["fc_0"], x))
    np.testing.assert_allclose(z, h * jax.nn.sigmoid(dense(params["fc_1"], y)) + h, rtol=1e-6)
    assert parse(str(net)) == net


@pytest.mark.parametrize(
    "net, expected",
    [
        (graph(lambda a, b: a + b), lambda a, b: a + b),
        (graph(lambda a, b: a - b), lambda a, b: a - b),
        (graph(lambda a, b: a / b), lambda a, b: a / b),
        (graph(lambda a, b: -a * 2 + 1 - b), lambda a, b: -a * 2 + 1 - b),
        (graph(lambda a, b: 3 - a / 2 - b), lambda a, b: 3 - a / 2 - b),
        (graph(lambda a, b: (a[:, 0] + b[..., -1], a)), lambda a, b: (a[:, 0] + b[:, -1], a)),
        (graph(lambda a, b: ((a, b), (b,))), lambda a, b: ((a, b), (b,))),
        (graph(lambda a, b: compose_seq(jnp.sin)(a) + subtract(b, a)), lambda a, b: jnp.sin(a) + b - a),
        (
            graph(lambda a, b: softmax(axis=0)(compose_seq(jnp.transpose)(a) @ b[:, :3])),
            lambda a, b: jax.nn.softmax(a.T @ b[:, :3], axis=0),
        ),
    ],
    ids=label,
)
def test_arithmetic_in_graphs(net, expected):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=1e-6), net(x, y), expected(x, y))


def test_graphs_nest_and_a_layer_called_twice_is_two():
    two = fc(4)
    net = graph(lambda x, c: graph(lambda v: two(v) + two(v))(x) + c)
    params, z = run(net, x, y)
    inner = params["graph_0"]
    assert list(inner) == ["fc_0", "fc_1"]
    np.testing.assert_allclose(z, dense(inner["fc_0"], x) + dense(inner["fc_1"], x) + y, rtol=1e-5)


def test_a_graph_is_a_value_without_its_lambda():
    assert graph(lambda x: fc(3)(x) + x) == graph(lambda other: fc(3)(other) + other)
    assert graph(lambda x: fc(3)(x) + x) != graph(lambda x: x + fc(3)(x))


def test_only_the_values_of_a_graph_are_computed_with():
    for build, text in (
        (lambda: graph(lambda x: jnp.ones(3)), "expected a graph that returns its own values"),
        (lambda: graph(lambda x: jnp.tanh(x)), "expected only layers inside a graph"),
        (lambda: graph(lambda x: x**2), "expected only layers inside a graph"),
        (lambda: graph(lambda x: fc(3)(x, 2.0)), "fc: expected values of this graph as arguments"),
        (lambda: graph(lambda x: relu(x) if x else x), "expected a graph whose shape does not depend on data"),
        (lambda: graph(lambda x: [*x]), "expected outputs unpacked by index"),
        (lambda: graph(lambda *xs: xs[0]), "expected a function with one positional argument per input"),
        (lambda: graph(lambda x: x[jnp.array([1])]), "expected an index of ints, slices, ... and None"),
    ):
        with pytest.raises(ConfigError) as caught:
            build()
        assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "net, text",
    [
        (graph(lambda x, c: x + c), "graph: expected 2 inputs, got (1, 4)"),
        (compose_seq(parallel(relu, relu)), "parallel_0: expected a tuple of 2 inputs, one per layer, got (1, 4)"),
        (residual(fc(3)), "residual: expected equal shapes on both sides of the sum, got body (1, 3), shortcut (1, 4)"),
        (fc(3) + fc(4), "join: expected an input that it can compute on, got ((1, 3), (1, 4))"),
    ],
)
def test_inputs_that_do_not_fit(net, text):
    with pytest.raises(ShapeError) as caught:
        net.init(0, 4)
    assert str(caught.value).startswith(text)
