"""The forms of convolutions for CPUs have the values and derivatives of XLA's own, through every transformation."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import compose_seq, conv, conv_lstm, relu, repeat
from compose.layers.conv.convolve import general
from compose.layers.conv.cpu import xla
from compose.layers.window import Window
from tests.derivatives import expect_equal_derivatives

CASES = {
    "1-D": {"space": (11,), "size": (3,)},
    "2-D": {"space": (7, 6), "size": (3, 2)},
    "3-D": {"space": (5, 4, 6), "size": (2, 3, 2)},
    "strided": {"space": (9, 8), "size": (3, 3), "stride": (2, 3)},
    "stride that leaves a rest": {"space": (8, 9), "size": (3, 2), "stride": (3, 2), "padding": ((1, 0), (0, 2))},
    "padded beyond the input": {"space": (2, 3), "size": (2, 2), "padding": ((2, 2), (3, 1))},
    "dilated": {"space": (9, 9), "size": (3, 2), "dilation": (2, 3), "padding": ((2, 2), (1, 2))},
    "grouped": {"space": (6, 6), "size": (3, 3), "groups": 2},
    "grouped and strided": {"space": (9,), "size": (3,), "stride": (2,), "groups": 4, "padding": ((1, 1),)},
    "groups that take turns": {
        "space": (5, 4),
        "size": (3, 2),
        "groups": 5,
        "channels": 40,
        "padding": ((1, 1), (0, 1)),
    },
    "groups that are joined": {"space": (6, 5), "size": (3, 3), "groups": 8, "channels": 16, "stride": (2, 1)},
    "joined groups that take turns": {"space": (6,), "size": (3,), "groups": 10, "channels": 40, "dilation": (2,)},
    "transposed": {"space": (5, 4), "size": (3, 3), "stretch": (2, 2), "padding": ((2, 1), (1, 2))},
    "transposed and cut": {"space": (5, 4), "size": (2, 2), "stretch": (3, 2), "padding": ((-1, 1), (0, -2))},
    "transposed and dilated": {"space": (5,), "size": (3,), "stretch": (2,), "dilation": (2,), "padding": ((3, 4),)},
    "transposed, grouped": {"space": (5,), "size": (4,), "stretch": (3,), "groups": 2, "padding": ((3, 3),)},
    "transposed, depthwise": {"space": (5,), "size": (4,), "stretch": (2,), "groups": 8, "padding": ((2, 2),)},
    "channels first": {"space": (6, 5), "size": (3, 3), "first": True, "padding": ((1, 1), (1, 1))},
    "channels first, 1-D, strided": {"space": (9,), "size": (2,), "stride": (2,), "first": True},
    "channels first, grouped": {"space": (6, 5), "size": (2, 2), "groups": 2, "first": True},
}
# Of many filters, as many as these times the channels, some gradients have another form.
FILTERS = [(name, 1) for name in CASES] + [(name, 8) for name in ("1-D", "2-D", "strided", "grouped", "channels first")]


def build(
    space, size, times=1, stride=None, dilation=None, stretch=None, groups=1, padding=None, first=False, batch=2,
    channels=8,
):  # fmt: skip
    """Ours and XLA's own form of a convolution of two float64 arrays, and these."""
    ones, rng = (1,) * len(space), np.random.default_rng(0)
    axes = tuple(range(2 if first else 1, len(space) + (2 if first else 1)))
    none = ((0, 0),) * len(space)
    over = Window(axes, space, size, stride or ones, dilation or ones, padding or none, (0,) * len(space))
    shape = (batch, channels, *space) if first else (batch, *space, channels)
    x, kernel = rng.normal(size=shape), rng.normal(size=(*size, channels // groups, times * channels))
    ours = lambda x, kernel: general(x, kernel, over, groups, first, stretch)
    plain = lambda x, kernel: xla(x, kernel, over, groups, first, stretch)
    return ours, plain, jnp.asarray(x), jnp.asarray(kernel)


def close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(("name", "times"), FILTERS)
def test_every_derivative_is_that_of_the_plain_convolution(name, times, x64):
    ours, plain, x, kernel = build(**CASES[name], times=times)
    expect_equal_derivatives(ours, plain, (x, kernel), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize("name", ["grouped", "groups that take turns"])
def test_batched_over_inputs_and_kernels(name, axes, x64):
    ours, plain, x, kernel = build(**CASES[name])
    many = lambda a, axis: a if axis is None else jnp.stack([a, 2 * a, a - 1])
    xs, kernels = many(x, axes[0]), many(kernel, axes[1])
    gradients = lambda c: jax.vmap(jax.grad(lambda x, k: jnp.sum(c(x, k) ** 3), (0, 1)), axes)(xs, kernels)
    close(gradients(ours), gradients(plain))


@pytest.mark.parametrize("argument", [0, 1])
def test_the_gradient_of_one_argument_computes_nothing_for_the_other(argument):
    ours, plain, x, kernel = build(**CASES["2-D"])

    def products(c):
        gradient = jax.grad(lambda *a: c(*a).sum(), argument)
        text = jax.jit(gradient).lower(x, kernel).compile().as_text()
        return len(re.findall(r"(?:convolution|dot)\(", text))

    assert products(ours) == products(plain)


NETWORKS = {
    "conv": lambda: compose_seq(conv(8, 3, relu), conv(8, 3, relu)),
    "repeat": lambda: compose_seq(conv(8, 3), repeat(3, conv(8, 3, relu))),
    "1-D": lambda: compose_seq(conv(8, 3, relu), conv(8, 3, relu)),
}


def test_many_groups_are_compiled_once(x64):
    ours, _, x, kernel = build((8, 8), (3, 3), groups=32, channels=512)
    text = jax.jit(jax.grad(lambda x, k: jnp.sum(ours(x, k) ** 2), (0, 1))).lower(x, kernel).compile().as_text()
    assert len(re.findall(r"(?:convolution|dot)\(", text)) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_kernel_gradients_in_a_loop_are_in_canonical_layout(name):
    net, x = NETWORKS[name](), jnp.ones((2, 8, 4) if name == "1-D" else (2, 8, 8, 4))
    params, state = net.init(0, x)
    loss = lambda p: jnp.sum(net.apply(p, state, x)[0] ** 2)

    def step(p, _):
        return jax.tree.map(lambda a, g: a - g, p, jax.grad(loss)(p)), None

    text = jax.jit(lambda p: lax.scan(step, p, length=3)).lower(params).compile().as_text()
    layouts = set(re.findall(r"convolution\(.*dim_labels=(\w+?)_", text))
    assert layouts and layouts <= {"b0f", "b01f"}


def test_the_cells_of_a_convolutional_lstm_have_it_too(x64):
    net, x = conv_lstm(4, 3), jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 5, 5, 2)))
    params, state = net.init(0, x)
    text = jax.jit(jax.grad(lambda p: jnp.sum(net.apply(p, state, x)[0] ** 2))).lower(params).compile().as_text()
    assert "->01bf" not in text
