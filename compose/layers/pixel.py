"""Rearrangements between channels and space, and of channels."""

from __future__ import annotations

from compose.core.errors import ConfigError, ShapeError
from compose.core.layer import Layer, layer
from compose.layers.window import channel_axis, space_axes

__all__ = ["channel_shuffle", "depth_to_space", "pixel_shuffle", "pixel_unshuffle", "space_to_depth"]


class Moved(Layer):
    """Moves channels to spatial blocks of `factor` values per axis, or back."""

    factor: int
    channels_first: bool
    outermost = True  # whether the output channel is the outer index, before the position in the block

    def validate(self):
        if self.factor < 1:
            raise ConfigError("a factor of at least 1", str(self.factor))

    def axes(self, x) -> tuple[int, tuple[int, ...]]:
        return channel_axis(x, self.channels_first), space_axes(x, self.channels_first)

    def unpack(self, x):
        """More space, fewer channels."""
        at, space = self.axes(x)
        r, rank = self.factor, len(space)
        if x.shape[at] % r**rank:
            raise ShapeError(f"channels divisible by {r**rank}", f"{x.shape[at]} channels in {tuple(x.shape)}")
        block, channels = (r,) * rank, x.shape[at] // r**rank
        split = (channels, *block) if self.outermost else (*block, channels)
        apart = x.reshape(*x.shape[:at], *split, *x.shape[at + 1 :])
        channel = at if self.outermost else at + rank
        first = at + 1 if self.outermost else at
        lengths = [i if i < at else i + rank for i in space]
        woven = [axis for i, length in enumerate(lengths) for axis in (length, first + i)]
        order = (0, channel, *woven) if self.channels_first else (0, *woven, channel)
        grown = [x.shape[i] * r for i in space]
        return apart.transpose(order).reshape(self.shape(x.shape[0], grown, channels))

    def pack(self, x):
        """Less space, more channels."""
        at, space = self.axes(x)
        r, rank = self.factor, len(space)
        if any(x.shape[i] % r for i in space):
            raise ShapeError(f"spatial axes divisible by {r}", f"shape {tuple(x.shape)}")
        lengths = [x.shape[i] // r for i in space]
        split = self.shape(x.shape[0], [n for length in lengths for n in (length, r)], x.shape[at])
        outer = [space[0] + 2 * i for i in range(rank)]
        inner = [i + 1 for i in outer]
        channel = 1 if self.channels_first else 2 * rank + 1
        packed = [channel, *inner] if self.outermost else [*inner, channel]
        order = [0, *packed, *outer] if self.channels_first else [0, *outer, *packed]
        return x.reshape(split).transpose(order).reshape(self.shape(x.shape[0], lengths, x.shape[at] * r**rank))

    def shape(self, batch: int, space: list[int], channels: int) -> tuple[int, ...]:
        return (batch, channels, *space) if self.channels_first else (batch, *space, channels)


@layer
class pixel_shuffle(Moved):
    """Moves channels to blocks of `factor` by `factor` pixels (Shi et al., Sub-Pixel Convolution, 2016).

    Shapes: `(batch, *space, n · factor^k) -> (batch, *(space · factor), n)` for k spatial axes. The channels of one
    block are contiguous, as in torch's `PixelShuffle`; TensorFlow's order is `depth_to_space`.
    """

    factor: int
    channels_first: bool = False

    def forward(self, p, x, ctx):
        return self.unpack(x)


@layer
class pixel_unshuffle(Moved):
    """The inverse of `pixel_shuffle`.

    Shapes: `(batch, *(space · factor), n) -> (batch, *space, n · factor^k)` for k spatial axes. Elsewhere: torch
    `PixelUnshuffle`.
    """

    factor: int
    channels_first: bool = False

    def forward(self, p, x, ctx):
        return self.pack(x)


@layer
class depth_to_space(Moved):
    """Moves channels to blocks of pixels in the order of `tf.nn.depth_to_space` and ONNX's DCR mode.

    Shapes: `(batch, *space, factor^k · n) -> (batch, *(space · factor), n)` for k spatial axes. Elsewhere: Keras
    `ops.depth_to_space`.
    """

    factor: int
    channels_first: bool = False
    outermost = False

    def forward(self, p, x, ctx):
        return self.unpack(x)


@layer
class space_to_depth(Moved):
    """The inverse of `depth_to_space`, as `tf.nn.space_to_depth`.

    Shapes: `(batch, *(space · factor), n) -> (batch, *space, factor^k · n)` for k spatial axes. Elsewhere: Keras
    `ops.space_to_depth`.
    """

    factor: int
    channels_first: bool = False
    outermost = False

    def forward(self, p, x, ctx):
        return self.pack(x)


@layer
class channel_shuffle(Layer):
    """Interleaves the groups: the first channel of each, then the second of each (Zhang et al., ShuffleNet, 2017).

    Shapes: `(batch, ..., channels)`, unchanged. Elsewhere: torch `ChannelShuffle`.
    """

    groups: int
    channels_first: bool = False

    def validate(self):
        if self.groups < 1:
            raise ConfigError("at least one group", str(self.groups))

    def forward(self, p, x, ctx):
        at = channel_axis(x, self.channels_first)
        if x.shape[at] % self.groups:
            raise ShapeError(f"channels divisible by {self.groups} groups", f"{x.shape[at]} channels")
        split = x.reshape(*x.shape[:at], self.groups, -1, *x.shape[at + 1 :])
        return split.swapaxes(at, at + 1).reshape(x.shape)
