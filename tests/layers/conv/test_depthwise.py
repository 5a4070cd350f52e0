"""Depthwise convolutions for CPUs have the values and derivatives of XLA's own, through every transformation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, depthwise_conv, relu, repeat
from compose.layers.conv import depthwise
from compose.layers.conv.convolve import convolve
from compose.layers.conv.cpu import xla
from compose.layers.window import Window
from tests.derivatives import expect_equal_derivatives

CASES = {
    "2-D": {"space": (7, 6), "size": (3, 2), "padding": ((1, 1), (0, 1))},
    "1-D": {"space": (11,), "size": (3,), "padding": ((2, 0),)},
    "3-D": {"space": (5, 4, 6), "size": (2, 3, 2)},
    "strided": {"space": (9, 8), "size": (3, 3), "stride": (2, 3), "padding": ((1, 1), (1, 1))},
    "3-D, strided": {"space": (6, 5, 7), "size": (2, 3, 2), "stride": (2, 1, 3)},
    "dilated": {"space": (9, 9), "size": (3, 2), "dilation": (2, 3), "padding": ((2, 2), (1, 2))},
    "padded beyond the input": {"space": (2, 3), "size": (2, 2), "padding": ((2, 2), (3, 1))},
    "several filters a channel": {"space": (6, 5), "size": (3, 3), "times": 2},
    "channels first": {"space": (6, 5), "size": (3, 2), "first": True, "padding": ((1, 1), (1, 0))},
    "a rest": {"space": (8, 9), "size": (3, 2), "stride": (3, 2), "padding": ((1, 0), (0, 2))},
}


def build(space, size, stride=None, dilation=None, padding=None, first=False, times=1):
    """Ours and XLA's own form of a depthwise convolution of two float64 arrays, and these."""
    ones, rng = (1,) * len(space), np.random.default_rng(0)
    axes = tuple(range(2 if first else 1, len(space) + (2 if first else 1)))
    none = ((0, 0),) * len(space)
    over = Window(axes, space, size, stride or ones, dilation or ones, padding or none, (0,) * len(space))
    shape = (2, 4, *space) if first else (2, *space, 4)
    x, kernel = rng.normal(size=shape), rng.normal(size=(*size, 1, 4 * times))
    ours = lambda x, kernel: convolve(x, kernel, over, 4, first)
    plain = lambda x, kernel: xla(x, kernel, over, 4, first, None)
    return ours, plain, (jnp.asarray(x), jnp.asarray(kernel))


@pytest.mark.parametrize("name", CASES)
def test_every_derivative_is_that_of_the_plain_convolution(name, x64):
    ours, plain, at = build(**CASES[name])
    expect_equal_derivatives(ours, plain, at, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("positions", [1, 2, 4])
def test_a_large_kernel_in_blocks(name, positions, x64, monkeypatch):
    monkeypatch.setattr(depthwise, "POSITIONS", positions)
    ours, plain, at = build(**CASES[name])
    loss = lambda f: lambda *at: jnp.sum(jnp.sin(f(*at)))
    for f in (lambda h: h(*at), lambda h: jax.grad(loss(h), (0, 1))(*at)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), f(ours), f(plain))


def test_a_large_kernel_compiles_to_few_operations():
    ours, _, at = build((20, 20), (13, 13), padding=((6, 6), (6, 6)))
    gradient = jax.grad(lambda *at: jnp.sum(ours(*at) ** 2), (0, 1))
    assert len(jax.jit(gradient).lower(*at).compile().as_text().splitlines()) < 10_000


@pytest.mark.parametrize("values", [1, 12, 10**6])
def test_any_number_of_rows_in_a_step(values, x64, monkeypatch):
    monkeypatch.setattr(depthwise, "VALUES", values)
    ours, plain, (x, kernel) = build((6, 5), (3, 3), padding=((1, 1), (1, 1)))
    gradient = lambda f: jax.grad(lambda kernel: jnp.sum(f(x, kernel) ** 2))(kernel)
    np.testing.assert_allclose(gradient(ours), gradient(plain), rtol=1e-12)


def test_batched(x64):
    ours, plain, (x, kernel) = build((5, 4), (3, 2))
    many = jnp.stack([kernel, kernel / 2])
    gradients = lambda f: jax.vmap(jax.grad(lambda kernel: jnp.sum(f(x, kernel) ** 2)))(many)
    np.testing.assert_allclose(gradients(ours), gradients(plain), rtol=1e-12)


def test_the_gradient_keeps_the_input_and_no_copy_for_each_position():
    net, x = depthwise_conv(3), jnp.ones((2, 8, 8, 4))
    params, _ = net.init(0, x)
    _, pull = jax.vjp(lambda p, x: net.apply(p, {}, x)[0], params, x)
    kept = sum(a.size for a in jax.tree.leaves(pull))
    assert kept <= 2 * x.size + sum(a.size for a in jax.tree.leaves(params))


@pytest.mark.slow
def test_repeated_blocks_are_the_written_out_form():
    block = compose_seq(depthwise_conv(3), relu)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 3)), jnp.float32)
    stack = repeat(3, block)
    params, _ = stack.init(0, x)
    grads = jax.grad(lambda p: jnp.sum(stack.apply(p, {}, x)[0] ** 2))(params)

    def written_out(params):
        y = x
        for i in range(3):
            y = block.apply(jax.tree.map(lambda a, i=i: a[i], params), {}, y)[0]
        return jnp.sum(y**2)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), grads, jax.grad(written_out)(params)
    )
