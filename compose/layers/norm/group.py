"""Group norm and instance norm."""

from __future__ import annotations

from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.padding import mask_over
from compose.layers.initializers import ones, zeros
from compose.layers.norm.batch import affine, moments, normalise
from compose.layers.window import along_channels, channel_axis, space_axes

__all__ = ["group_norm", "instance_norm"]


@layer
class group_norm(Layer):
    """Normalises over space and groups of channels to mean 0 and variance 1, then applies `scale` and `bias`.

    Wu & He, Group Normalization, 2018. Shapes: `(batch, ..., channels)`, unchanged; parameters `(channels,)`.
    Elsewhere: torch `GroupNorm`, which requires the number of groups; Flax `GroupNorm` has `epsilon=1e-6`, Keras
    `GroupNormalization` `epsilon=1e-3`.

    Args:
        groups: the number of groups, which divides the channels; 1 normalises over all channels.
        epsilon: added to the variance.
        scale, bias: whether to have these parameters.
        channels_first: the input is `(batch, channels, ...)`.
    """

    groups: int = 32
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    channels_first: bool = False
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    def validate(self):
        if self.groups < 1:
            raise ConfigError("at least one group", str(self.groups))

    def params(self, x):
        expect_rank(x, range(2, 99), "(batch, channels, ...)" if self.channels_first else "(batch, ..., channels)")
        expect_float(x)
        channels = x.shape[channel_axis(x, self.channels_first)]
        if channels % self.groups:
            raise ShapeError(f"channels divisible by {self.groups} groups", f"{channels} channels")
        yield from affine(self, (channels,))

    def knows_mask(self, x):
        return not self.channels_first

    def forward(self, p, x, ctx):
        at = channel_axis(x, self.channels_first)
        split = (self.groups, x.shape[at] // self.groups)
        apart = x.reshape(*x.shape[:at], *split, *x.shape[at + 1 :])
        real = mask_over(x, ctx.mask)
        real = None if real is None else real[..., None]
        _, centred, var = moments(apart, tuple(i for i in range(1, apart.ndim) if i != at), keepdims=True, real=real)
        ones_after = (1,) * (x.ndim - 1 - at)
        p = {k: v.reshape(*split, *ones_after) for k, v in p.items()}
        return normalise(centred, var, self.epsilon, p, x.dtype).reshape(x.shape)


@layer
class instance_norm(Layer):
    """Normalises each channel of each example over space to mean 0 and variance 1, then applies `scale` and `bias`.

    Ulyanov et al., Instance Normalization, 2016. Shapes: `(batch, *space, channels)`, unchanged; parameters
    `(channels,)`. The same in training and inference.
    Elsewhere: Flax `InstanceNorm` has `epsilon=1e-6`; torch `InstanceNorm1d/2d/3d` has by default no
    parameters (`scale=False, bias=False`), and its `track_running_stats` is not supported; Keras
    `GroupNormalization(groups=-1)`.

    Args:
        epsilon: added to the variance.
        scale, bias: whether to have these parameters.
        channels_first: the input is `(batch, channels, *space)`.
    """

    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    channels_first: bool = False
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    def params(self, x):
        space_axes(x, self.channels_first)
        expect_float(x)
        yield from affine(self, (x.shape[channel_axis(x, self.channels_first)],))

    def knows_mask(self, x):
        return not self.channels_first

    def forward(self, p, x, ctx):
        real = mask_over(x, ctx.mask)
        _, centred, var = moments(x, space_axes(x, self.channels_first), keepdims=True, real=real)
        p = {k: along_channels(v, x, self.channels_first) for k, v in p.items()}
        return normalise(centred, var, self.epsilon, p, x.dtype)
