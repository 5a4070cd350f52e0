"""The rows of a summary: paths, sizes, repeats, shared layers."""

import jax
import jax.numpy as jnp

from compose import (
    branch,
    compose_seq,
    concat,
    dropout,
    fc,
    frozen,
    graph,
    layer_norm,
    relu,
    repeat,
    residual,
    share,
    sigmoid,
    spec,
)

autoencoder = compose_seq(
    fc(250, relu, name="e1"), fc(50, relu, name="e2"), fc(250, relu, name="d1"), fc(784, sigmoid, name="d2")
)


block = residual(compose_seq(layer_norm(), fc(512, relu), dropout(0.1), fc(128)))


def test_a_row_says_path_layer_output_parameters_and_flops():
    row = autoencoder.summary(784).rows[1]
    assert (row.path, row.layer, row.out.shape) == ("e2", "fc(50, relu)", (1, 50))
    assert row.parameters == 250 * 50 + 50
    assert row.flops == 2 * 250 * 50 + 50 + 50


def test_rows_at_the_top_sum_to_the_totals():
    net = compose_seq(fc(128), repeat(3, block), residual(fc(128)), branch(fc(3), fc(4), join=concat()), fc(2))
    made = net.summary(spec(16, 128))
    top = [row for row in made.rows if row.depth == 0]
    assert sum(row.parameters for row in top) == made.parameters
    assert sum(row.flops for row in top) == made.flops
    params, _ = net.init(0, jnp.zeros((1, 16, 128)))
    assert made.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_every_path_finds_its_layer():
    net = compose_seq(fc(128), repeat(3, block), frozen(residual(fc(128))), name="net")
    for row in net.summary(spec(16, 128)).rows:
        assert net[row.path] is not None


def test_what_is_shared_counts_its_parameters_once_and_its_uses_each():
    net = share(fc(8), lambda e: compose_seq(e, relu, e))
    made = net.summary(8)
    assert made.parameters == 72
    assert [(r.label, r.layer, r.flops) for r in made.rows] == [
        ("fc_0", "e = fc(8)", 0),
        ("seq_0", "compose_seq(…)", 280),
        ("shared_0", "e", 136),
        ("relu_0", "relu", 8),
        ("shared_1", "e", 136),
    ]


def test_a_graph_has_a_row_for_each_step():
    made = graph(lambda x, c: (h := fc(64, relu)(x)) * fc(64, sigmoid)(c) + h).summary(8, 9)
    assert [row.layer for row in made.rows] == ["fc(64, relu)", "fc(64, sigmoid)", "multiply", "add"]
