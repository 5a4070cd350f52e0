"""Layers side by side: branches, joins, parallel layers, residual connections."""

import jax
import jax.numpy as jnp
import numpy as np

from compose import (
    at,
    branch,
    compose_seq,
    concat,
    fc,
    identity,
    parallel,
    relu,
    residual,
    tanh,
)
from compose.combinators.branch import collect

x = jnp.linspace(-1, 1, 12).reshape(3, 4)
y = jnp.linspace(2, 3, 12).reshape(3, 4)


def run(net, *inputs):
    params, state = net.init(0, *inputs)
    return params, net.apply(params, state, *inputs)[0]


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def test_branch_gives_the_tuple_of_outputs():
    params, (a, b) = run(branch(fc(3), fc(2, name="two")), x)
    np.testing.assert_allclose(a, dense(params["fc_0"], x), rtol=1e-6)
    np.testing.assert_allclose(b, dense(params["two"], x), rtol=1e-6)


def test_joins_are_layers():
    assert branch(fc(3), fc(4), join=concat()).out(5) == (7,)
    params, z = run(branch(fc(3), fc(4), join=compose_seq(concat, fc(2))), x)
    both = jnp.concatenate([dense(params["fc_0"], x), dense(params["fc_1"], x)], -1)
    np.testing.assert_allclose(z, dense(params["join"]["fc_0"], both), rtol=1e-5)


def test_nested_sums_and_products():
    params, z = run(fc(3) + fc(3) * fc(3, tanh) + identity, x[:, :3])
    product = params["branch_0"]
    expected = dense(params["fc_0"], x[:, :3]) + x[:, :3]
    expected += dense(product["fc_0"], x[:, :3]) * jnp.tanh(dense(product["fc_1"], x[:, :3]))
    np.testing.assert_allclose(z, expected, rtol=1e-6)


def test_parallel_gives_each_layer_its_input():
    params, (a, b) = run(parallel(fc(3), relu), x, y)
    np.testing.assert_allclose(a, dense(params["fc_0"], x), rtol=1e-6)
    np.testing.assert_array_equal(b, y)
    assert compose_seq(branch(relu, tanh), parallel(fc(3), fc(2)), at("1")).out(4) == (2,)


def test_residual_and_its_shortcut():
    params, z = run(residual(fc(4, relu)), x)
    np.testing.assert_allclose(z, x + jax.nn.relu(dense(params["body"], x)), rtol=1e-6)
    params, z = run(residual(fc(2, relu), shortcut=fc(2, bias=False)), x)
    expected = jax.nn.relu(dense(params["body"], x)) + x @ params["shortcut"]["kernel"]
    np.testing.assert_allclose(z, expected, rtol=1e-6)


def test_collect_is_the_join_that_joins_nothing():
    assert branch(relu, tanh) == branch(relu, tanh, join=collect)
