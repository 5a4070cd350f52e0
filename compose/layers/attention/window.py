"""Self-attention within windows of an image (Swin)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer, unlisted
from compose.core.param import Param
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.initializers import glorot_uniform, truncated_normal, zeros
from compose.layers.slicing import take_slice

__all__ = ["window_attention", "window_bias"]


@layer
class window_bias(Layer):
    """`scores + embedding[offset]` for each head, between the pixels of a square window (Liu et al., Swin, 2021).

    For `multi_head_attention(3, scores=window_bias(7))` on the 49 pixels of a window, in row-major order. Shapes:
    `(batch, heads, window², window²)`, unchanged; parameters `embedding ((2 window - 1)², heads)`.
    """

    window: int
    embedding_init: Initializer = truncated_normal(stddev=0.02)

    def params(self, x):
        n = self.window**2
        expect_rank(x, 4, "of scores (batch, heads, queries, keys)")
        if x.shape[2:] != (n, n):
            raise ShapeError(f"scores between the {n} pixels of a window", shape_text(x))
        yield "embedding", Param(((2 * self.window - 1) ** 2, x.shape[1]), self.embedding_init)

    def forward(self, p, x, ctx):
        return x + jnp.moveaxis(p["embedding"][offsets(self.window)], -1, 0)


@unlisted
class Windowed(Layer):
    """Self-attention within windows; images are zero-padded at the end to a multiple of the window.

    Args:
        heads: the number of heads; it divides the features.
        window: the side of a window.
        shift: shift windows cyclically by this many pixels; pixels that wrap around are masked from each other.
        dropout: the dropout rate of the attention weights.
    """

    heads: int
    window: int = 7
    shift: int = 0
    bias: bool = True
    dropout: float = 0.0
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0

    @property
    def attention(self) -> Layer:
        """The attention layer applied to each window."""
        raise NotImplementedError

    def validate(self):
        if self.window < 1 or not 0 <= self.shift < self.window:
            raise ConfigError("a shift below the window", f"window {self.window}, shift {self.shift}")

    def params(self, x):
        expect_rank(x, 4, "(batch, height, width, channels)")
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        w, (batch, height, width, n) = self.window, x.shape
        rows, cols = -(-height // w), -(-width // w)
        if (rows * w, cols * w) != (height, width):
            x = jnp.pad(x, ((0, 0), (0, rows * w - height), (0, cols * w - width), (0, 0)))
        shift = tuple(
            self.shift if count > 1 else 0 for count in (rows, cols)
        )  # nothing wraps around if there is one window
        if any(shift):
            x = jnp.roll(x, (-shift[0], -shift[1]), (1, 2))
        x = x.reshape(batch, rows, w, cols, w, n).transpose(0, 1, 3, 2, 4, 5).reshape(-1, w * w, n)
        if any(shift):
            x = (x, jnp.tile(_seen(rows, cols, w, shift), (batch, 1, 1)))
        y = ctx.run(self.attention, p, x, "attention")
        y = y.reshape(batch, rows, cols, w, w, n).transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows * w, cols * w, n)
        if any(shift):
            y = jnp.roll(y, shift, (1, 2))
        return take_slice(y, slice(None), slice(height), slice(width))


@layer
class window_attention(Windowed):
    """Self-attention within windows, with a learned bias for each offset (Liu et al., Swin, 2021).

    Shapes: `(batch, height, width, n)`, unchanged; images are zero-padded at the end to a multiple of the window.
    Parameters: those of `multi_head_attention`, with `window_bias` under `scores`, all under `attention`.
    Elsewhere: torchvision `ShiftedWindowAttention`, with one `qkv` for the first three kernels.
    """

    embedding_init: Initializer = truncated_normal(stddev=0.02)

    @property
    def attention(self) -> Layer:
        return multi_head_attention(
            self.heads, dropout=self.dropout, bias=self.bias, out_bias=self.bias,
            scores=window_bias(self.window, self.embedding_init),
            kernel_init=self.kernel_init, bias_init=self.bias_init,
        )  # fmt: skip


def offsets(w: int) -> np.ndarray:
    """The row of the bias table for each pair of a window's pixels: `(w², w²)`."""
    at = np.stack(np.meshgrid(np.arange(w), np.arange(w), indexing="ij"), -1).reshape(-1, 2)
    by = at[:, None] - at + w - 1
    return by[..., 0] * (2 * w - 1) + by[..., 1]


def _seen(rows: int, cols: int, w: int, shift: tuple[int, ...]) -> np.ndarray:
    """For each window, which pairs of pixels were contiguous before the shift: `(rows · cols, w², w²)`."""

    def regions(count: int, by: int) -> np.ndarray:
        at = np.arange(count * w)
        return (at >= (count - 1) * w).astype(int) + (at >= count * w - by) if by else np.zeros(count * w, int)

    region = regions(rows, shift[0])[:, None] * 3 + regions(cols, shift[1])
    region = region.reshape(rows, w, cols, w).transpose(0, 2, 1, 3).reshape(-1, w * w)
    return region[:, :, None] == region[:, None]
