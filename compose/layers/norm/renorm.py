"""Batch renormalisation."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError
from compose.core.initializer import Initializer
from compose.core.layer import StatefulLayer, layer
from compose.core.padding import mask_over
from compose.core.param import Param
from compose.layers.initializers import ones, zeros
from compose.layers.norm.batch import batch_norm, moments, normalise
from compose.layers.window import along_channels, channel_axis

__all__ = ["batch_renorm"]


@layer
class batch_renorm(StatefulLayer):
    """`batch_norm` whose training looks like its inference: `r` and `d` correct the batch's statistics to running ones.

    Ioffe, Batch Renormalization, 2017. In training the normalised values are multiplied by `r = std / renorm_std` and
    moved by `d = (mean - renorm_mean) / renorm_std`, both without a gradient. Limits of `(1, 1)` and a shift of 0 are
    `batch_norm`; raise them as training goes on.

    Shapes: `(batch, ..., channels)`, unchanged; parameters `scale`, `bias` and state `mean`, `var`, `std`,
    `renorm_mean`, `renorm_std`, all `(channels,)`. `var` follows from `std`, the running mean of the batch's.
    Elsewhere: Keras `BatchNormalization(renorm=True)`, whose `epsilon` is 1e-3.

    Args:
        momentum, epsilon, scale, bias, channels_first: as in `batch_norm`.
        limits: what `r` is clipped to; None for no clipping. The high end may be None alone.
        shift: the limit of the size of `d`; None for none.
        renorm_momentum: the weight of the old `renorm_mean` and `renorm_std` in their update.
    """

    momentum: float = 0.99
    epsilon: float = 1e-5
    limits: tuple[float, float | None] | None = None
    shift: float | None = None
    renorm_momentum: float = 0.99
    scale: bool = True
    bias: bool = True
    channels_first: bool = False
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    like_input = True

    def validate(self):
        if not (0 <= self.momentum <= 1 and 0 <= self.renorm_momentum <= 1):
            raise ConfigError("momenta from 0 to 1", f"{self.momentum}, {self.renorm_momentum}")
        low, high = self.limits or (0, None)
        if not 0 <= low <= (low if high is None else high) or (self.shift or 0) < 0:
            raise ConfigError("limits (low, high) and a shift of at least 0", f"{self.limits}, {self.shift}")

    def params(self, x):
        yield from self.plain.params(x)

    @property
    def plain(self) -> batch_norm:
        """The batch norm that this one is in inference."""
        return batch_norm(
            self.momentum, self.epsilon, self.scale, self.bias, False, self.channels_first, self.scale_init,
            self.bias_init,
        )  # fmt: skip

    def state(self, x):
        yield from self.plain.state(x)
        channels, dtype = x.shape[channel_axis(x, self.channels_first)], jnp.promote_types(x.dtype, jnp.float32)
        for name, init in (("std", ones), ("renorm_mean", zeros), ("renorm_std", ones)):
            yield name, Param((channels,), init, dtype)

    def forward(self, p, s, x, ctx):
        if not ctx.train:
            return self.plain.forward(p, s, x, ctx)
        shaped = lambda v: along_channels(v, x, self.channels_first)
        channels = channel_axis(x, self.channels_first)
        mean, centred, var = moments(x, tuple(i for i in range(x.ndim) if i != channels), real=mask_over(x, ctx.mask))
        std = jnp.sqrt(var + self.epsilon)
        usual = jnp.maximum(s["renorm_std"], jnp.sqrt(self.epsilon))
        r = lax.stop_gradient(jnp.clip(std / usual, *(self.limits or (None, None))))
        reach = (None, None) if self.shift is None else (-self.shift, self.shift)
        d = lax.stop_gradient(jnp.clip((mean - s["renorm_mean"]) / usual, *reach))
        y = normalise(centred, shaped(var), self.epsilon, {"scale": shaped(r), "bias": shaped(d)}, centred.dtype)
        for name, apply in (("scale", jnp.multiply), ("bias", jnp.add)):
            y = apply(y, shaped(p[name])) if name in p else y
        passed = lambda keep, old, new: lax.stop_gradient(keep * old + (1 - keep) * new)
        after = passed(self.momentum, s["std"], std)
        return y.astype(x.dtype), {
            "mean": passed(self.momentum, s["mean"], mean),
            "var": jnp.maximum(after * after - self.epsilon, 0),
            "std": after,
            "renorm_mean": passed(self.renorm_momentum, s["renorm_mean"], mean),
            "renorm_std": passed(self.renorm_momentum, s["renorm_std"], std),
        }

    def knows_mask(self, x):
        return not self.channels_first
