"""A layer chosen by data."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import batch_norm, choose, compose_seq, dropout, fc, graph, identity, ops, parse, relu, tanh
from compose.core.errors import ConfigError, ShapeError

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def test_only_the_chosen_layer_is_computed_and_trained():
    net = choose(fc(3), compose_seq(fc(5, tanh), fc(3)))
    params, state = net.init(jax.random.key(0), jnp.array(True), X)
    assert sorted(params) == ["fc_0", "seq_0"]

    def loss(params, on):
        return net.apply(params, state, on, X)[0].sum()

    for on, still in ((True, "seq_0"), (False, "fc_0")):
        slopes = jax.jit(jax.grad(loss))(params, jnp.array(on))
        assert all(not np.any(g) for g in jax.tree.leaves(slopes[still]))
        assert all(np.any(g) for key, tree in slopes.items() if key != still for g in jax.tree.leaves(tree))
    text = str(jax.make_jaxpr(lambda on: net.apply(params, state, on, X)[0])(jnp.array(True)))
    assert text.count("cond[") == 1


def test_the_state_of_the_chosen_layer_alone_moves():
    net = choose(batch_norm(name="a"), batch_norm(name="b"))
    params, state = net.init(jax.random.key(0), jnp.array(True), X)
    run = jax.jit(lambda on: net.apply(params, state, on, X, train=True)[1])
    for on, moved, still in ((True, "a", "b"), (False, "b", "a")):
        after = run(jnp.array(on))
        assert np.array_equal(after[still]["mean"], state[still]["mean"])
        assert not np.array_equal(after[moved]["mean"], state[moved]["mean"])


def test_noise_is_that_of_the_chosen_layers_path():
    net = choose(dropout(0.5), identity)
    y = net.apply({}, {}, jnp.array(True), X, train=True, rng=jax.random.key(0))[0]
    assert 0 < np.sum(np.asarray(y) == 0) < X.size
    assert np.array_equal(net.apply({}, {}, jnp.array(False), X, train=True, rng=jax.random.key(0))[0], X)


def test_a_condition_made_of_the_input():
    positive = compose_seq(ops.sum, ops.greater(y=0))
    net = graph(lambda x: choose(relu, tanh)(positive(x), x))
    assert parse(str(net)) == net
    for x in (X + 9, X - 9):
        np.testing.assert_allclose(net.apply({}, {}, x)[0], np.maximum(x, 0) if x.sum() > 0 else np.tanh(x), rtol=1e-6)
    many = jax.vmap(lambda x: net.apply({}, {}, x)[0])(np.stack([X + 9, X - 9]))
    np.testing.assert_allclose(many[1], np.tanh(X - 9), rtol=1e-6)


@pytest.mark.parametrize(
    "inputs, text",
    [
        ((X,), "a condition and at least one input"),
        ((jnp.ones(6, bool), X), "a condition that is one boolean"),
        ((jnp.array(1.0), X), "a condition that is one boolean"),
        ((jnp.array(True), X), "outputs of one shape and dtype"),
    ],
)
def test_errors(inputs, text):
    with pytest.raises(ShapeError, match=text):
        choose(fc(3), fc(2)).init(jax.random.key(0), *inputs)


def test_two_layers_are_asked_for():
    with pytest.raises(ConfigError, match="two layers, for True and for False"):
        choose(relu)
