"""Convolutions on CPUs: the forms that are fast there, inside loops and outside.

XLA's own form is the fastest for most convolutions without groups and with the channels last. The others become such
convolutions: groups by themselves (`groups`), channels that come first move last. The gradient of the kernel is a
product of matrices, that of the input too if there are strides or many channels, and else a convolution in canonical
layout.
`benchmarks/spatial.py` measures the forms by shape.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from compose.layers.conv import products
from compose.layers.conv.canonical import canonical
from compose.layers.conv.groups import by_group
from compose.layers.conv.products import MOST_POSITIONS
from compose.layers.window import Window, axes_last, reversed_window

OLD_YNNPACK = tuple(map(int, jax.__version__.split(".")[:2])) < (0, 11)
MANY_CHANNELS = 256  # so many that the gradient of the input is faster as a product of matrices


def xla(x, kernel, over: Window, groups: int, channels_first: bool, stretch: tuple[int, ...] | None):
    """XLA's convolution; `stretch` dilates the input, for transposed convolutions."""
    letters = "DHW"[-len(over.axes) :]
    layout = f"NC{letters}" if channels_first else f"N{letters}C"
    return lax.conv_general_dilated(
        x, kernel, over.stride, over.padding, lhs_dilation=stretch, rhs_dilation=over.dilation,
        feature_group_count=groups, dimension_numbers=(layout, f"{letters}IO", layout),
    )  # fmt: skip


def forward(x, kernel, over: Window, groups: int, channels_first: bool, stretch: tuple[int, ...] | None):
    """The convolution, as a CPU runs it fast."""

    def plain(x, kernel, over):
        if prefers_eigen(x, kernel, over, stretch):
            return _by_eigen(x, kernel, over)
        return xla(x, kernel, over, 1, False, stretch)

    return _without_layout(plain, x, kernel, over, groups, channels_first)


def prefers_eigen(x, kernel, over: Window, stretch: tuple[int, ...] | None) -> bool:
    """Whether Eigen runs this convolution up to twice as fast as YNNPACK, to which XLA gives it.

    That is so up to JAX 0.10, the newest version for Python 3.11.
    """
    same_ends = all(lo == hi for lo, hi in over.padding)
    dense = stretch is None and len(over.size) == 2 and max(over.size) > 1 and max(over.stride) == 1
    return OLD_YNNPACK and dense and same_ends and kernel.shape[-2] >= 16 and x.dtype == jnp.float32


def _by_eigen(x, kernel, over: Window):
    """The convolution with one more column of padding, cut off afterwards: YNNPACK takes none with unlike ends."""
    rows, (lo, hi) = over.padding
    wider = dataclasses.replace(over, padding=(rows, (lo, hi + 1)))
    return lax.slice_in_dim(xla(x, kernel, wider, 1, False, None), 0, over.places[-1], axis=2)


def derivative(
    x, kernel, over: Window, groups: int, channels_first: bool, stretch: tuple[int, ...] | None, argument: int
):
    """The convolution, in a form whose transpose in `argument` (0 or 1) a CPU runs fast."""

    def plain(x, kernel, over):
        if jnp.finfo(x.dtype).bits < 32 or math.prod(over.size) > MOST_POSITIONS or 0 in x.shape:
            return canonical(lambda x, kernel: xla(x, kernel, over, 1, False, stretch), x, kernel, argument)
        if stretch is not None:
            return _of_stretched(x, kernel, over, stretch, argument)
        if argument == 1:
            return products.of_kernel(x, kernel, over)
        if max(over.stride) > 1 or min(kernel.shape[-2:]) >= MANY_CHANNELS:
            return products.of_input(x, kernel, over)
        return _of_stretched(x, kernel, over, over.stride, argument)

    return _without_layout(plain, x, kernel, over, groups, channels_first)


def _without_layout(plain: Callable[..., Any], x, kernel, over: Window, groups: int, channels_first: bool):
    """Run `plain(x, kernel, over)` with the channels last and without groups."""
    if channels_first:
        x = jnp.moveaxis(x, 1, -1)
        return jnp.moveaxis(_without_layout(plain, x, kernel, axes_last(over), groups, False), -1, 1)
    return by_group(lambda x, kernel: plain(x, kernel, over), x, kernel, groups)


def _of_stretched(x, kernel, over: Window, stretch: tuple[int, ...], argument: int):
    """The convolution of an input dilated by `stretch`, whose gradients see the cotangents through windows."""
    y = jax.eval_shape(lambda x, kernel: xla(x, kernel, over, 1, False, stretch), x, kernel)
    back = reversed_window(over, y.shape[1:-1], stretch)
    turned = lambda kernel: lax.rev(kernel, tuple(range(kernel.ndim - 2))).swapaxes(-1, -2)
    if argument == 0:
        return jax.linear_transpose(lambda g: forward(g, turned(kernel), back, 1, False, None), y)(x)[0]
    return jax.linear_transpose(lambda g: turned(products.kernel_gradient(g, x, back)), y)(kernel)[0]
