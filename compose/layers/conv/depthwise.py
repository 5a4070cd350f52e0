"""Depthwise convolutions on CPUs, as sums over the positions in the window.

XLA's own convolution takes 15 to 40 times as long there. The gradient of the input is a depthwise convolution again,
with the kernel reversed. The gradient of the kernel is a loop over rows of the image that keeps one sum for each
position and place in the row: written as reductions of whole images it takes 4 to 18 times as long. A large kernel is
taken in blocks: beyond about a hundred positions one sum takes ten times as long, and its gradient a minute to compile.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from compose.layers.conv.products import even, one_cpu
from compose.layers.window import Window, axes_last, padded_window, reversed_window

VALUES = 8192  # in one step of the loop over rows, so that they stay in the cache
POSITIONS = 49  # in a block of the kernel


def forward(x, kernel, over: Window, channels_first: bool):
    """The depthwise convolution with `kernel (*size, 1, filters)`."""
    if channels_first:
        return jnp.moveaxis(forward(jnp.moveaxis(x, 1, -1), kernel, axes_last(over), False), -1, 1)
    return _in_blocks(_sum_of_positions, *_rows(x, kernel), over)


def derivative(x, kernel, over: Window, channels_first: bool, argument: int):
    """The depthwise convolution, in a form whose transpose in `argument` (0 or 1) a CPU runs fast."""
    if channels_first:
        return jnp.moveaxis(derivative(jnp.moveaxis(x, 1, -1), kernel, axes_last(over), False, argument), -1, 1)
    x, rows = _rows(x, kernel)
    if argument == 0 and max(over.stride) == 1:
        y = jax.eval_shape(lambda x, rows: _in_blocks(_sum_of_positions, x, rows, over), x, rows)
        return jax.linear_transpose(lambda g: _of_input(g, rows, over), y)(x)[0]
    by_kernel = argument == 1 and one_cpu() and 0 not in x.shape
    return _in_blocks(_by_kernel if by_kernel else _sum_of_positions, x, rows, over)


def _rows(x, kernel):
    """The input with each channel as often as it has filters, and the kernel as `(*size, filters)`."""
    rows = kernel[..., 0, :]
    times = rows.shape[-1] // x.shape[-1]
    return (jnp.repeat(x, times, -1) if times > 1 else x), rows


def _in_blocks(form: Callable[[Any, Any, Window], Any], x, rows, over: Window, axis: int = 0):
    """The convolution as a sum over blocks of the kernel along one axis, each of them in this `form`."""
    if math.prod(over.size) <= POSITIONS:
        return form(x, rows, over)
    size, gap = over.size[axis], over.dilation[axis]
    most = max(POSITIONS // math.prod(over.size[axis + 1 :]), 1)
    block = even(size, most)
    turns = -(-size // block)
    more = block * turns - size  # positions of zeros in the last block
    ends = [(lo, hi + (more * gap if i == axis else 0), 0) for i, (lo, hi) in enumerate(over.reach)]
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *ends, (0, 0, 0)])
    rows = lax.pad(rows, jnp.zeros((), rows.dtype), [(0, more if i == axis else 0, 0) for i in range(rows.ndim)])
    blocks = jnp.moveaxis(rows.reshape(*rows.shape[:axis], turns, block, *rows.shape[axis + 1 :]), axis, 0)
    seen = (over.places[axis] - 1) * over.stride[axis] + (block - 1) * gap + 1

    def body(total, turn):
        i, part = turn
        window = lax.dynamic_slice_in_dim(padded, i * (block * gap), seen, axis + 1)
        here = padded_window(dataclasses.replace(over, size=part.shape[:-1]), window)
        return total + _in_blocks(form, window, part, here, axis + 1), None

    start = jnp.zeros((x.shape[0], *over.places, rows.shape[-1]), jnp.result_type(x, rows))
    return lax.scan(body, start, (jnp.arange(turns), blocks))[0]


def _sum_of_positions(x, rows, over: Window):
    total = 0
    for seen, row in zip(over.slides(x), rows.reshape(-1, rows.shape[-1]), strict=True):
        total = total + seen * row
    return total


def _of_input(g, rows, over: Window):
    """The gradient of the input, for strides of 1."""
    turned = lax.rev(rows, tuple(range(rows.ndim - 1)))
    return _in_blocks(_sum_of_positions, g, turned, reversed_window(over, over.places, over.stride))


def _by_kernel(x, rows, over: Window):
    """The convolution, in a form whose transpose in `rows` is `_of_kernel`."""
    y = jax.ShapeDtypeStruct((x.shape[0], *over.places, rows.shape[-1]), jnp.result_type(x, rows))
    return jax.linear_transpose(lambda g: _of_kernel(x, g, over), y)(rows)[0]


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
