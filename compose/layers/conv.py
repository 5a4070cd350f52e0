"""Convolutions over one, two or three spatial axes, channels last."""

from __future__ import annotations

from typing import Any

from jax import lax

from compose.combinators.branch import identity
from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.initializers import glorot_uniform, zeros
from compose.layers.window import Padding, Sizes, explicit_padding, sizes

__all__ = ["conv"]

LAYOUTS = {
    1: "(batch, steps, channels)",
    2: "(batch, height, width, channels)",
    3: "(batch, depth, height, width, channels)",
}


@layer
class conv(Layer):
    """Convolution over the spatial axes: `conv(32, 3, relu)` over images, sequences or volumes.

    Shapes: `(batch, *space, n) -> (batch, *space', filters)`; parameters
    `kernel (*kernel, n / groups, filters)`, `bias (filters,)`.
    Elsewhere: Keras `Conv1D/2D/3D`, whose default padding is `"valid"`; torch `Conv1d/2d/3d`, channels first,
    with `padding=0`; Flax `Conv` with these defaults.

    Args:
        filters: output channels.
        kernel: size along each spatial axis; one int serves all.
        activation: applied last.
        stride, dilation: as `kernel`.
        padding: `"same"`, `"valid"`, an int, or for each axis an int or `(before, after)`.
        groups: channels are convolved in so many separate groups.
    """

    filters: int
    kernel: Sizes
    activation: Layer = identity
    stride: Sizes = 1
    padding: Padding = "same"
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        if self.filters < 1 or self.groups < 1 or self.filters % self.groups:
            raise ConfigError("filters that the groups divide", f"{self.filters} filters, {self.groups} groups")

    def params(self, x):
        rank = spatial_rank(self.kernel, x)
        expect_float(x)
        if x.shape[-1] % self.groups:
            raise ShapeError(f"channels that {self.groups} groups divide", f"{x.shape[-1]} channels")
        kernel = (*sizes(self.kernel, rank), x.shape[-1] // self.groups, self.filters)
        made = Param(kernel, self.kernel_init)
        yield "kernel", made
        if self.bias:
            yield "bias", Param((self.filters,), self.bias_init, fan_in=made.fans[0])

    def forward(self, p, x, ctx):
        rank = x.ndim - 2
        dilation = sizes(self.dilation, rank)
        window = sizes(self.kernel, rank)
        padding = explicit_padding(self.padding, x.shape[1:-1], window, sizes(self.stride, rank), dilation)
        letters = "DHW"[-rank:]
        y = lax.conv_general_dilated(
            x, p["kernel"], sizes(self.stride, rank), padding, rhs_dilation=dilation, feature_group_count=self.groups,
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        )  # fmt: skip
        return ctx.run(self.activation, p, y + p["bias"] if self.bias else y)


def spatial_rank(kernel: Any, x) -> int:
    """How many spatial axes the input has; an int kernel takes the input's, a tuple asks for its own length."""
    ranks = tuple(r + 2 for r in LAYOUTS) if isinstance(kernel, int) else (len(kernel) + 2,)
    layout = " or ".join(LAYOUTS[r - 2] for r in ranks)
    expect_rank(x, ranks, layout, "add the missing axis with reshape(...)" if x.ndim < ranks[0] else "")
    return x.ndim - 2
