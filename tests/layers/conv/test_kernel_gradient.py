"""The canonical gradient of kernels is XLA's own, through every transformation."""

from __future__ import annotations

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import compose_seq, conv, conv_lstm, relu, repeat
from compose.layers.conv.kernel_gradient import with_kernel_gradient

CASES = {
    "1-D": {"space": (11,), "size": (3,)},
    "2-D": {"space": (7, 6), "size": (3, 2)},
    "3-D": {"space": (5, 4, 6), "size": (2, 3, 2)},
    "strided": {"space": (9, 8), "size": (3, 3), "stride": (2, 3)},
    "stride that leaves a rest": {"space": (8, 9), "size": (3, 2), "stride": (3, 2), "padding": ((1, 0), (0, 2))},
    "dilated": {"space": (9, 9), "size": (3, 2), "dilation": (2, 3), "padding": "SAME"},
    "grouped": {"space": (6, 6), "size": (3, 3), "groups": 2},
    "grouped and strided": {"space": (9,), "size": (3,), "stride": (2,), "groups": 4, "padding": "SAME"},
    "transposed": {"space": (5, 4), "size": (3, 3), "stretch": (2, 2), "padding": ((2, 1), (1, 2))},
    "transposed, grouped": {"space": (5,), "size": (4,), "stretch": (3,), "groups": 2, "padding": ((3, 3),)},
    "channels first": {"space": (6, 5), "size": (3, 3), "first": True, "padding": "SAME"},
    "channels first, 1-D, strided": {"space": (9,), "size": (2,), "stride": (2,), "first": True},
}


def build(space, size, stride=None, dilation=None, stretch=None, groups=1, padding="VALID", first=False):
    """A convolution of two float64 arrays, and these."""
    letters = "DHW"[-len(space) :]
    layout = f"NC{letters}" if first else f"N{letters}C"
    rng = np.random.default_rng(0)
    shape = (2, 4, *space) if first else (2, *space, 4)
    x, kernel = rng.normal(size=shape), rng.normal(size=(*size, 4 // groups, 8))

    def plain(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, stride or (1,) * len(space), padding, lhs_dilation=stretch, rhs_dilation=dilation,
            feature_group_count=groups, dimension_numbers=(layout, f"{letters}IO", layout),
        )  # fmt: skip

    return plain, jnp.asarray(x), jnp.asarray(kernel)


def close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_every_derivative_is_that_of_the_plain_convolution(name, x64):
    plain, x, kernel = build(**CASES[name])
    ours = with_kernel_gradient(plain)
    g = jnp.asarray(np.random.default_rng(1).normal(size=plain(x, kernel).shape))
    dx, dk = (jnp.asarray(np.random.default_rng(2).normal(size=a.shape)) for a in (x, kernel))
    loss = lambda f: lambda x, k: jnp.sum(jnp.sin(f(x, k)) * g)
    for f in (lambda c: c(x, kernel), lambda c: jax.vjp(c, x, kernel)[1](g)):
        close(f(ours), f(plain))
    close(jax.jvp(ours, (x, kernel), (dx, dk)), jax.jvp(plain, (x, kernel), (dx, dk)))
    for outer, inner in itertools.product((jax.grad, "forward"), repeat=2):
        close(*(second(loss(c), outer, inner, x, kernel, dx, dk) for c in (ours, plain)))


def second(loss, outer, inner, x, kernel, dx, dk):
    """A second derivative along (dx, dk), by forward or reverse mode inside and outside."""
    along = lambda f: lambda x, k: jax.jvp(f, (x, k), (dx, dk))[1]
    slope = along(loss) if inner == "forward" else lambda x, k: _dot(jax.grad(loss, (0, 1))(x, k), (dx, dk))
    return along(slope)(x, kernel) if outer == "forward" else jax.grad(slope, (0, 1))(x, kernel)


def _dot(a, b):
    return sum(jnp.vdot(p, q) for p, q in zip(a, b))


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_batched_over_inputs_and_kernels(axes, x64):
    plain, x, kernel = build(**CASES["grouped"])
    many = lambda a, axis: a if axis is None else jnp.stack([a, 2 * a, a - 1])
    xs, kernels = many(x, axes[0]), many(kernel, axes[1])
    gradients = lambda c: jax.vmap(jax.grad(lambda x, k: jnp.sum(c(x, k) ** 3), (0, 1)), axes)(xs, kernels)
    close(gradients(with_kernel_gradient(plain)), gradients(plain))


@pytest.mark.parametrize("argument", [0, 1])
def test_the_gradient_of_one_argument_computes_nothing_for_the_other(argument):
    plain, x, kernel = build(**CASES["2-D"])

    def convolutions(c):
        gradient = jax.grad(lambda *a: c(*a).sum(), argument)
        return jax.jit(gradient).lower(x, kernel).compile().as_text().count("convolution(")

    assert convolutions(with_kernel_gradient(plain)) == convolutions(plain)


NETWORKS = {
    "conv": lambda: compose_seq(conv(8, 3, relu), conv(8, 3, relu)),
    "repeat": lambda: compose_seq(conv(8, 3), repeat(3, conv(8, 3, relu))),
    "1-D": lambda: compose_seq(conv(8, 3, relu), conv(8, 3, relu)),
}


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
