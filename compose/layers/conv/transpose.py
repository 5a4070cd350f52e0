"""Transposed convolution."""

from __future__ import annotations

from compose.combinators.branch import identity
from compose.core.errors import ConfigError, ShapeError
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.layers.conv.convolve import check_groups, finish, general, kernel_and_bias
from compose.layers.initializers import glorot_uniform, zeros
from compose.layers.window import Padding, Sizes, Window, pairs, sizes, space_axes

__all__ = ["conv_transpose"]


@layer
class conv_transpose(Layer):
    """Transposed convolution: inserts `stride - 1` zeros between the values, then convolves with stride 1.

    Shapes: `(batch, *space, n) -> (batch, *space', filters)`; parameters
    `kernel (*kernel, n / groups, filters)`, `bias (filters,)`. A length becomes `length · stride` for
    `"same"`, and `(length - 1) · stride + span - padding + output_padding` for numbers, where
    `span = (kernel - 1) · dilation + 1`.
    Elsewhere: Flax `ConvTranspose` with these defaults and this kernel. Keras `Conv1D/2D/3DTranspose`, default
    padding `"valid"`, and torch `ConvTranspose1d/2d/3d`, default padding 0, store it flipped spatially, as
    `(*kernel, filters, n)` and `(n, filters / groups, *kernel)`. Keras's `"same"` with `output_padding=o` crops
    `2 · (kernel // 2) - o` in total, with an odd excess at the end: pass it as a pair.

    Args:
        filters, kernel, activation, stride, dilation, groups, channels_first: as in `conv`.
        padding: `"same"`, `"valid"`, or how much to crop from the output: an int, or for each axis an int or
            `(before, after)`.
        output_padding: how much to add at the end of each axis.

    >>> conv_transpose(8, 4, stride=2).out((14, 14, 32))
    (28, 28, 8)
    """

    filters: int
    kernel: Sizes
    activation: Layer = identity
    stride: Sizes = 1
    padding: Padding = "same"
    output_padding: Sizes = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    channels_first: bool = False
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        check_groups(self.filters, self.groups)
        extra = (self.output_padding,) if isinstance(self.output_padding, int) else self.output_padding
        if min(extra) < 0:
            raise ConfigError("an output_padding of at least 0", str(self.output_padding))
        if self.padding == "causal":
            raise ConfigError('padding "same", "valid" or numbers', '"causal"')

    def params(self, x):
        return kernel_and_bias(self, x, self.filters)

    def crop(self, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
        """How much is cut off `before` and `after` along each axis; below 0, how much is added."""
        spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
        if self.padding == "same":
            return [(max(k - s, 0) // 2, k - s - max(k - s, 0) // 2) for k, s in zip(spans, stride)]
        if self.padding == "valid":
            return [(0, min(k - s, 0)) for k, s in zip(spans, stride)]
        return list(pairs(self.padding, len(size)))  # pyright: ignore[reportArgumentType]

    def forward(self, p, x, ctx):
        axes = space_axes(x, self.channels_first)
        rank, space = len(axes), tuple(x.shape[a] for a in axes)
        size, stride, dilation = sizes(self.kernel, rank), sizes(self.stride, rank), sizes(self.dilation, rank)
        spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
        cut = self.crop(size, stride, dilation)
        extra = [after for _, after in pairs(self.output_padding, rank)]
        for n, s, k, (before, after), more in zip(space, stride, spans, cut, extra):
            if (n - 1) * s + k - before - after + more < 1:
                raise ShapeError("padding that leaves some output", f"{before} + {after} for length {n}")
        ends = tuple((k - 1 - before, k - 1 - after + more) for k, (before, after), more in zip(spans, cut, extra))
        over = Window(axes, space, size, (1,) * rank, dilation, ends, (0,) * rank)
        return finish(self, p, general(x, p["kernel"], over, self.groups, self.channels_first, stride), ctx)
