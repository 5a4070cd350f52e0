"""The gradients of convolutions, computed in blocks, are those of the whole batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, conv, conv_transpose, depthwise_conv, relu
from compose.layers.conv import products
from tests.derivatives import expect_equal_derivatives
from tests.layers.conv.test_cpu import CASES, build

BLOCKS = {"whole images": 4000, "some rows": 500, "one row": 1}
NAMES = ("1-D", "2-D", "3-D", "stride that leaves a rest", "padded beyond the input", "dilated", "transposed and cut")


@pytest.mark.parametrize("values", BLOCKS)
@pytest.mark.parametrize("name", NAMES)
def test_every_derivative_in_blocks_is_that_of_the_plain_convolution(name, values, x64, monkeypatch):
    monkeypatch.setattr(products, "_block", smaller(BLOCKS[values]))
    ours, plain, x, kernel = build(**CASES[name], batch=3)
    expect_equal_derivatives(ours, plain, (x, kernel), rtol=1e-12, atol=1e-11)


def smaller(values: int):
    """The rule for the size of blocks, with as many values in one."""
    rule = products._block

    def block(images, rows, row, kernel):
        if rows * row <= values:
            return products.even(images, values // (rows * row)), rows
        return 1, products.even(rows, max(values // row, 1))

    assert rule(100, 14, 14 * 288, 288 * 64) == (9, 14) and rule(1, 224, 224 * 147, 147 * 64) == (1, 15)
    return block


@pytest.mark.parametrize("unseen", [np.nan, np.inf])
def test_rows_that_no_window_sees_do_not_reach_the_gradient(unseen, monkeypatch):
    monkeypatch.setattr(products, "_block", lambda *_: (2, 2))
    net = compose_seq(conv(8, 2, stride=3, padding="valid"), relu)
    x = np.random.default_rng(0).normal(size=(3, 10, 10, 2)).astype(np.float32)
    x[:, 8:], x[:, :, 8:] = unseen, unseen
    params, state = net.init(0, x)
    g = jax.grad(lambda p: jnp.sum(net.apply(p, state, x)[0] ** 2))(params)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(g))


def test_the_columns_of_a_large_batch_are_never_in_memory_at_once():
    x, net = jax.ShapeDtypeStruct((128, 32, 32, 16), jnp.float32), conv(32, 3)
    params, state = net.init(0, jnp.zeros((1, 32, 32, 16)))

    def gradients(params, x):
        return jax.grad(lambda p, x: jnp.sum(net.apply(p, state, x)[0] ** 2), (0, 1))(params, x)

    memory = jax.jit(gradients).lower(params, x).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 9 * 128 * 32 * 32 * 16 * 4


@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradient_compiles_for_any_batch_size(stride):
    net, any_batch = conv(40, 3, stride=stride), jax.export.symbolic_shape("batch")[0]
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 6, 6, 3)), jnp.float32)
    params, state = net.init(0, x)
    gradients = lambda p, x: jax.grad(lambda p, x: jnp.sum(net.apply(p, state, x)[0] ** 2), (0, 1))(p, x)
    program = jax.export.export(jax.jit(gradients))(params, jax.ShapeDtypeStruct((any_batch, 6, 6, 3), jnp.float32))
    for a, b in zip(jax.tree.leaves(program.call(params, x)), jax.tree.leaves(gradients(params, x)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("net", [conv(40, 3), conv(40, 3, stride=2), depthwise_conv(3), conv_transpose(4, 3)], ids=str)
def test_the_gradient_of_no_examples_is_zero(net):
    params, state = net.init(0, jnp.ones((1, 6, 6, 3)))
    loss = lambda p, x: jnp.sum(net.apply(p, state, x)[0])
    of_params, of_input = jax.grad(loss, (0, 1))(params, jnp.ones((0, 6, 6, 3)))
    assert of_input.shape == (0, 6, 6, 3) and not of_params["kernel"].any()
