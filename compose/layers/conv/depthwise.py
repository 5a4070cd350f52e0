"""Depthwise convolutions on CPUs, as sums over the positions in the window.

XLA's own convolution takes 15 to 40 times as long there. The gradient of the input is a depthwise convolution again,
with the kernel reversed. The gradient of the kernel is a loop over rows of the image that keeps one sum for each
position and place in the row: written as reductions of whole images it takes 4 to 18 times as long.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from compose.layers.conv.products import MOST_POSITIONS, one_cpu
from compose.layers.window import Window, axes_last, padded_window, reversed_window

VALUES = 8192  # in one step of the loop over rows, so that they stay in the cache


def forward(x, kernel, over: Window, channels_first: bool):
    """The depthwise convolution with `kernel (*size, 1, filters)`."""
    if channels_first:
        return jnp.moveaxis(forward(jnp.moveaxis(x, 1, -1), kernel, axes_last(over), False), -1, 1)
    return _sum_of_positions(*_rows(x, kernel), over)


def derivative(x, kernel, over: Window, channels_first: bool, argument: int):
    """The depthwise convolution, in a form whose transpose in `argument` (0 or 1) a CPU runs fast."""
    if channels_first:
        return jnp.moveaxis(derivative(jnp.moveaxis(x, 1, -1), kernel, axes_last(over), False, argument), -1, 1)
    x, rows = _rows(x, kernel)
    y = jax.eval_shape(lambda x, rows: _sum_of_positions(x, rows, over), x, rows)
    if argument == 0 and max(over.stride) == 1:
        return jax.linear_transpose(lambda g: _of_input(g, rows, over), y)(x)[0]
    if argument == 1 and math.prod(over.size) <= MOST_POSITIONS and one_cpu() and 0 not in x.shape:
        return jax.linear_transpose(lambda g: _of_kernel(x, g, over), y)(rows)[0]
    return _sum_of_positions(x, rows, over)


def _rows(x, kernel):
    """The input with each channel as often as it has filters, and the kernel as `(*size, filters)`."""
    rows = kernel[..., 0, :]
    times = rows.shape[-1] // x.shape[-1]
    return (jnp.repeat(x, times, -1) if times > 1 else x), rows


def _sum_of_positions(x, rows, over: Window):
    total = 0
    for seen, row in zip(over.slides(x), rows.reshape(-1, rows.shape[-1]), strict=True):
        total = total + seen * row
    return total


def _of_input(g, rows, over: Window):
    """The gradient of the input, for strides of 1."""
    return _sum_of_positions(
        g, lax.rev(rows, tuple(range(rows.ndim - 1))), reversed_window(over, over.places, over.stride)
    )


def _of_kernel(x, g, over: Window):
    """The gradient of the kernel: in each step a block of rows of one example, with the places in a row last."""
    size = over.size
    batch, *space, filters = g.shape
    if len(space) == 1:  # a sequence is an image of one row
        space = [1, *space]
        over = Window((1, 2), (1, *over.space), (1, *over.size), (1, *over.stride), (1, *over.dilation),
                      ((0, 0), *over.padding), (0, *over.overhang))  # fmt: skip
        x, g = x[:, None], g[:, None]
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((lo, hi, 0) for lo, hi in over.reach), (0, 0, 0)])
    *outer, places = space
    block = _block(outer[-1], places * filters)
    turns = [batch, *outer[:-1], outer[-1] // block]
    rows = [1] * (len(outer) - 1) + [block]  # in one step, along each outer axis
    seen = [(n - 1) * s + span for n, s, span in zip(rows, over.stride, over.spans)]

    def body(sums, turn):
        example, *at = jnp.unravel_index(turn, turns)
        at = [i * n for i, n in zip(at, rows)]
        here = lax.dynamic_slice(g, [example, *at, 0, 0], [1, *rows, places, filters])
        first = [i * s for i, s in zip(at, over.stride)]
        window = lax.dynamic_slice(padded, [example, *first, 0, 0], [1, *seen, *padded.shape[-2:]])
        parts = padded_window(over, window).slides(window)
        return [total + part * here for total, part in zip(sums, parts, strict=True)], None

    start = [jnp.zeros((1, *rows, places, filters), g.dtype)] * math.prod(over.size)
    # Transposed twice, without the checkpoint it would keep a copy of the input for each position.
    sums, _ = lax.scan(jax.checkpoint(body, prevent_cse=False), start, jnp.arange(math.prod(turns)))
    return jnp.stack([a.sum(range(a.ndim - 1)) for a in sums]).reshape(*size, filters)


def _block(rows: int, values: int) -> int:
    """How many rows a step takes: as many as stay in the cache, in equal blocks."""
    return max(n for n in range(1, rows + 1) if rows % n == 0 and (n == 1 or n * values <= VALUES))
