"""Convolutions over one, two or three spatial axes: plain, depthwise and separable."""

from __future__ import annotations

from compose.combinators.branch import identity
from compose.combinators.seq import compose_seq
from compose.core.combinator import Composite
from compose.core.errors import ConfigError
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.padding import where_real
from compose.layers.conv.convolve import check_groups, convolve, finish, keeps_steps, kernel_and_bias
from compose.layers.initializers import glorot_uniform, zeros
from compose.layers.window import Padding, Sizes, channel_axis, window

__all__ = ["conv", "depthwise_conv", "separable_conv"]


@layer
class conv(Layer):
    """Convolution over the spatial axes: `conv(32, 3, relu)` over images, sequences or volumes.

    Shapes: `(batch, *space, n) -> (batch, *space', filters)`; parameters
    `kernel (*kernel, n / groups, filters)`, `bias (filters,)`.
    Elsewhere: Flax `Conv` with these defaults, but a `lecun_normal` kernel; Keras `Conv1D/2D/3D`, whose default
    padding is `"valid"`; torch `Conv1d/2d/3d`, channels first, with `padding=0`, kernel and bias
    `torch_uniform`. torch's `padding=1, stride=2` is not `"same"`, which pads (0, 1) on an even input; its
    `padding_mode` is `pad(..., mode=...)` before the layer.

    Args:
        filters: output channels.
        kernel: size along each spatial axis; an int applies to all.
        activation: applied last.
        stride, dilation: an int, or one per spatial axis.
        padding: `"same"`, `"valid"`, `"causal"`, an int, or for each axis an int or `(before, after)`.
        groups: the number of separate groups of channels.
        channels_first: the input is `(batch, n, *space)`; the kernel's layout does not change.

    >>> conv(32, 3, stride=2).out((28, 28, 1))
    (14, 14, 32)
    """

    filters: int
    kernel: Sizes
    activation: Layer = identity
    stride: Sizes = 1
    padding: Padding = "same"
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    channels_first: bool = False
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        check_groups(self.filters, self.groups)

    def params(self, x):
        return kernel_and_bias(self, x, self.filters)

    def knows_mask(self, x):
        return keeps_steps(self, x)

    def forward(self, p, x, ctx):
        over = window(x, self.kernel, self.stride, self.padding, self.dilation, self.channels_first)
        x = where_real(x, ctx.mask)
        return finish(self, p, convolve(x, p["kernel"], over, self.groups, self.channels_first), ctx)


@layer
class depthwise_conv(Layer):
    """Convolution of each channel separately, with `multiplier` output channels each.

    Shapes: `(batch, *space, n) -> (batch, *space', n · multiplier)`; parameters
    `kernel (*kernel, 1, n · multiplier)`, `bias (n · multiplier,)`.
    Elsewhere: Keras `DepthwiseConv1D/2D`, kernel `(*kernel, n, multiplier)` reshaped, padding `"valid"`; torch
    `Conv1d/2d/3d` and Flax `Conv` with as many groups as channels, which is `conv(..., groups=n)` here too.

    Args:
        kernel, activation, stride, padding, dilation, channels_first: as in `conv`.
        multiplier: output channels per input channel.
    """

    kernel: Sizes
    activation: Layer = identity
    multiplier: int = 1
    stride: Sizes = 1
    padding: Padding = "same"
    dilation: Sizes = 1
    bias: bool = True
    channels_first: bool = False
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        if self.multiplier < 1:
            raise ConfigError("a multiplier of at least 1", str(self.multiplier))

    def params(self, x):
        return kernel_and_bias(self, x, x.shape[channel_axis(x, self.channels_first)] * self.multiplier)

    def knows_mask(self, x):
        return keeps_steps(self, x)

    def forward(self, p, x, ctx):
        over = window(x, self.kernel, self.stride, self.padding, self.dilation, self.channels_first)
        x = where_real(x, ctx.mask)
        channels = x.shape[channel_axis(x, self.channels_first)]
        return finish(self, p, convolve(x, p["kernel"], over, channels, self.channels_first), ctx)


@layer
class separable_conv(Composite):
    """A depthwise convolution followed by a pointwise convolution (Chollet, Xception, 2017).

    Equivalent to `depthwise_conv(kernel, bias=False) >> conv(filters, 1, activation)`.
    Shapes: `(batch, *space, n) -> (batch, *space', filters)`; parameters `depthwise/kernel`,
    `pointwise/kernel`, `pointwise/bias`. Elsewhere: Keras `SeparableConv1D/2D`, whose padding is `"valid"`.

    Args:
        filters, kernel, activation, stride, padding, dilation, channels_first: as in `conv`.
        multiplier: channels between the two convolutions per input channel.
    """

    filters: int
    kernel: Sizes
    activation: Layer = identity
    multiplier: int = 1
    stride: Sizes = 1
    padding: Padding = "same"
    dilation: Sizes = 1
    bias: bool = True
    channels_first: bool = False
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    draws = False

    def validate(self):
        self.expand(None)

    def expand(self, x):
        over = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        shared = {"channels_first": self.channels_first, "kernel_init": self.kernel_init}
        return compose_seq(
            depthwise_conv(self.kernel, multiplier=self.multiplier, bias=False, name="depthwise", **over, **shared),
            conv(
                self.filters, 1, self.activation, bias=self.bias, bias_init=self.bias_init, name="pointwise", **shared
            ),
        )
