"""Gradients of convolutions on CPUs as products of matrices, in blocks that stay in the cache.

In each block the values at all positions in the window lie side by side (im2col). For a whole batch these columns are
several times as large as the input, and passing them through memory takes 2 to 5 times as long.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from compose.layers.window import Window, padded_window

VALUES = 2**19  # in the columns of a block, so that they stay in the cache
MOST_POSITIONS = 128  # more slices than this take long to compile


def all_positions(x, kernel, over: Window):
    """The convolution as one product of the kernel and the columns. Channels are last, and there are no groups."""
    columns = _columns(x, over)
    y = lax.dot(columns.reshape(-1, columns.shape[-1]), kernel.reshape(-1, kernel.shape[-1]))
    return y.reshape(*columns.shape[:-1], -1)


def of_input(x, kernel, over: Window):
    """`all_positions` for a block of images at a time."""
    batch, width = x.shape[0], math.prod(kernel.shape[:-1])
    images, _ = _block(batch, 1, math.prod(over.places) * width, 0)
    turns = -(-batch // images)
    if turns == 1:
        return all_positions(x, kernel, over)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, images * turns - batch, 0), *[(0, 0, 0)] * (x.ndim - 1)])
    blocks = x.reshape(turns, images, *x.shape[1:])
    _, y = lax.scan(lambda _, block: (None, all_positions(block, kernel, over)), None, blocks)
    return y.reshape(-1, *y.shape[2:])[:batch]


def of_kernel(x, kernel, over: Window):
    """The convolution, in a form whose transpose in `kernel` is `kernel_gradient`."""
    y = jax.ShapeDtypeStruct((x.shape[0], *over.places, kernel.shape[-1]), jnp.result_type(x, kernel))
    return jax.linear_transpose(lambda g: kernel_gradient(x, g, over), y)(kernel)[0]


def kernel_gradient(x, g, over: Window):
    """The gradient of the kernel for cotangents `g`, linear in both: `(*size, channels of x, channels of g)`."""
    batch, *space, filters = g.shape
    channels, positions = x.shape[-1], math.prod(over.size)
    width = positions * channels
    images, rows = _block(batch, space[0], math.prod(space[1:]) * width, width * filters)
    turns = -(-batch // images), -(-space[0] // rows)
    x, g = _whole_blocks(x, g, over, images * turns[0], rows * turns[1])
    if math.prod(turns) == 1:
        total = _product(x, g, over)
    else:
        total = _sum_of_blocks(x, g, over, images, rows, turns)
    return jnp.moveaxis(total.reshape(filters, *over.size, channels), 0, -1)


def _sum_of_blocks(x, g, over: Window, images: int, rows: int, turns: tuple[int, int]):
    seen = (rows - 1) * over.stride[0] + over.spans[0]
    rest = [0] * (g.ndim - 2)

    def body(total, turn):
        i, j = turn // turns[1] * images, turn % turns[1] * rows
        here = lax.dynamic_slice(g, [i, j, *rest], [images, rows, *g.shape[2:]])
        window = lax.dynamic_slice(x, [i, j * over.stride[0], *rest], [images, seen, *x.shape[2:]])
        return total + _product(window, here, over), None

    # Transposed twice, without the checkpoint it would keep the columns of all blocks.
    step = jax.checkpoint(body, prevent_cse=False)
    start = jnp.zeros((g.shape[-1], math.prod(over.size) * x.shape[-1]), g.dtype)
    return lax.scan(step, start, jnp.arange(math.prod(turns)))[0]


def _product(x, g, over: Window):
    """The products of cotangents and the columns of a padded input, `(filters, positions * channels)`."""
    columns = _columns(x, padded_window(over, x))
    flat = lambda a: a.reshape(-1, a.shape[-1])
    return lax.dot_general(flat(g), flat(columns), (((0,), (0,)), ((), ())))


def _block(images: int, rows: int, row: int, kernel: int) -> tuple[int, int]:
    """How many images and how many of their rows a block has; `row` is the number of values in the columns of one.

    Few blocks if the kernel is large, since each block passes through the sums.
    """
    if not (isinstance(images, int) and isinstance(rows, int) and one_cpu()):
        return images, rows
    most = max(VALUES, 2 * kernel)
    if rows * row <= most:
        return even(images, most // (rows * row)), rows
    return 1, even(rows, max(most // row, 1))


def one_cpu() -> bool:
    """Whether there is one CPU device. A loop over blocks of an array that several share would gather it."""
    return jax.default_backend() != "cpu" or jax.device_count() == 1


def even(count: int, most: int) -> int:
    """The size of blocks of equal size, but for the last one, none larger than `most`."""
    return -(-count // -(-count // most))


def _whole_blocks(x, g, over: Window, images: int, rows: int):
    """Input with its padding, cut to what windows see, and cotangents, with zeros up to a whole number of blocks."""
    zero = jnp.zeros((), x.dtype)
    reach = [(n - 1) * s + span for n, s, span in zip(over.places, over.stride, over.spans)]
    ends = [(lo, end - n - lo, 0) for (lo, _), end, n in zip(over.reach, reach, over.space)]
    x = lax.pad(x, zero, [(0, 0, 0), *ends, (0, 0, 0)])
    more = [(0, images - g.shape[0], 0), (0, rows - g.shape[1], 0)]
    if any(n for _, n, _ in more):
        rest = [(0, 0, 0)] * (g.ndim - 2)
        g = lax.pad(g, zero, [*more, *rest])
        x = lax.pad(x, zero, [more[0], (0, more[1][1] * over.stride[0], 0), *rest])
    return x, g


def _columns(x, over: Window):
    """The values of all windows at each position in the window, side by side."""
    return lax.concatenate(over.slides(x), x.ndim - 1)
