"""The computation shared by all convolutions, in the fastest form for each platform."""

from __future__ import annotations

from compose.core.errors import ConfigError, ShapeError, expect_float
from compose.core.param import Param
from compose.layers.bilinear import with_cpu_derivative
from compose.layers.conv import cpu, depthwise
from compose.layers.product import product
from compose.layers.window import Window, along_channels, channel_axis, sizes, space_axes, window


def kernel_and_bias(conv, x, filters: int):
    """The parameters of a convolution: `kernel (*kernel, channels / groups, filters)`, `bias (filters,)`."""
    rank = len(space_axes(x, conv.channels_first, conv.kernel, conv.stride, conv.dilation, conv.padding))
    expect_float(x)
    channels = x.shape[channel_axis(x, conv.channels_first)]
    groups = getattr(conv, "groups", channels)
    if channels % groups:
        raise ShapeError(f"channels divisible by {groups} groups", f"{channels} channels in {tuple(x.shape)}")
    kernel = Param((*sizes(conv.kernel, rank, "a kernel"), channels // groups, filters), conv.kernel_init)
    yield "kernel", kernel
    if conv.bias:
        yield "bias", Param((filters,), conv.bias_init, fan_in=kernel.fans[0])


def check_groups(filters: int, groups: int) -> None:
    if filters < 1:
        raise ConfigError("filters, a number of at least 1", str(filters))
    if groups < 1 or filters % groups:
        raise ConfigError("filters divisible by groups", f"{filters} filters, {groups} groups")


def keeps_steps(conv, x) -> bool:
    """Whether the output has the steps of the input along axis 1, so that padded steps, as zeros, are like none."""
    over = window(x, conv.kernel, conv.stride, conv.padding, conv.dilation, conv.channels_first)
    return not conv.channels_first and over.stride[0] == 1 and over.places[0] == over.space[0]


def convolve(x, kernel, over: Window, groups: int, channels_first: bool):
    """The correlation of each window with the kernel `(*size, channels / groups, filters)`."""
    if groups > 1 and kernel.shape[-2] == 1:
        return with_cpu_derivative(
            lambda x, kernel: cpu.xla(x, kernel, over, groups, channels_first, None),
            lambda x, kernel, argument: depthwise.derivative(x, kernel, over, channels_first, argument),
            lambda x, kernel: depthwise.forward(x, kernel, over, channels_first),
        )(x, kernel)
    if groups == 1 and max(over.size) == 1 and not channels_first and not any(map(any, over.padding)):
        picked = x if max(over.stride) == 1 else over.slides(x)[0]
        return product(picked, kernel.reshape(kernel.shape[-2:]))
    return general(x, kernel, over, groups, channels_first)


def general(x, kernel, over: Window, groups: int, channels_first: bool, stretch: tuple[int, ...] | None = None):
    """XLA's convolution, but on CPUs; `stretch` dilates the input, for transposed convolutions."""
    how = (over, groups, channels_first, stretch)
    own_form = groups > 1 or channels_first or cpu.prefers_eigen(x, kernel, over, stretch)
    return with_cpu_derivative(
        lambda x, kernel: cpu.xla(x, kernel, *how),
        lambda x, kernel, argument: cpu.derivative(x, kernel, *how, argument),
        (lambda x, kernel: cpu.forward(x, kernel, *how)) if own_form else None,
    )(x, kernel)


def finish(conv, p, y, ctx):
    """Add the bias and apply the activation."""
    y = y + along_channels(p["bias"], y, conv.channels_first) if conv.bias else y
    return ctx.run(conv.activation, p, y)
