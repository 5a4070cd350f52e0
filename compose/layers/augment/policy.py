"""Augmentation policies: random sequences of other augmentations per example, for values from 0 to 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.augment.color import (
    auto_contrast,
    random_color_degeneration,
    random_posterization,
    random_sharpness,
    solarize,
)
from compose.layers.augment.flip_crop import random_brightness, random_contrast
from compose.layers.augment.warp import random_rotation, random_shear, random_translation
from compose.layers.histogram import equalize
from compose.layers.window import space_axes

__all__ = ["aug_mix", "rand_augment"]


class Policy(Layer):
    """Draws operations of strength `factor` for each example."""

    draws = True
    factor: float

    def validate(self):
        if not 0 <= self.factor <= 1:
            raise ConfigError("a factor from 0 to 1", str(self.factor))

    def params(self, x):
        space_axes(x, False, (1, 1))
        expect_float(x)
        if x.shape[-1] != 3:
            raise ShapeError("images with 3 channels", f"{x.shape[-1]} channels in {tuple(x.shape)}")
        return {}

    @property
    def changes(self) -> tuple[Layer, ...]:
        """The operations; at factor 1 they are as strong as the strongest in the papers."""
        by = self.factor
        return (
            random_rotation(by / 12, "constant"),
            random_shear(0.3 * by, "constant"),
            random_translation(0.45 * by, "constant"),
            random_brightness(0.9 * by),
            random_color_degeneration(0.9 * by),
            random_contrast(0.9 * by),
            random_sharpness(0.9 * by),
            random_posterization(8 - round(4 * by)),
            solarize(threshold=1 - by),
            auto_contrast,
            equalize,
        )

    def changed(self, x, ctx, step: str):
        """One operation on each example, drawn uniformly from all operations and the identity."""
        chosen = jax.random.randint(ctx.rng(step), (x.shape[0], 1, 1, 1), 0, len(self.changes) + 1)
        y = x
        for i, change in enumerate(self.changes):
            y = jnp.where(chosen == i, ctx.run(change, {}, x, f"{step}_{change.kind}"), y)
        return jnp.clip(y, 0, 1)


@layer
class rand_augment(Policy):
    """Applies `steps` random operations to each image (Cubuk et al., 2019).

    The operations are: rotate, shear, translate, brightness, colour, contrast, sharpness, posterize, solarize, auto
    contrast, equalize, identity. Every operation is computed for the whole batch and then selected per image, so shapes
    are static.

    Shapes: `(batch, height, width, 3)`, unchanged; values from 0 to 1. Elsewhere: Keras `RandAugment`, which draws the
    operations once per batch and has other strengths; torchvision's magnitude is 30 times `factor`.

    Args:
        steps: the number of operations per image.
        factor: their strength, from 0 to 1.
    """

    steps: int = 2
    factor: float = 0.5

    def validate(self):
        super().validate()
        if self.steps < 1:
            raise ConfigError("at least one step", str(self.steps))

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        for step in range(self.steps):
            x = self.changed(x, ctx, str(step))
        return x


@layer
class aug_mix(Policy):
    """`m · x + (1 - m) · sum(w[i] · chain[i](x))`, where each chain is `depth` operations of `rand_augment`.

    Each image has its own operations, w from Dirichlet(alpha) and m from Beta(alpha, alpha) (Hendrycks et al., 2020).
    The chains run as one batch.

    Shapes: `(batch, height, width, 3)`, unchanged; values from 0 to 1. Elsewhere: Keras `AugMix`, which draws the
    operations and weights once per batch (only once ever in a compiled step) and has other strengths.

    Args:
        chains: the number of augmented copies to mix.
        depth: the number of operations per chain; some may be the identity.
        factor: their strength, from 0 to 1.
        alpha: large for even mixtures, small for one dominant chain.
    """

    chains: int = 3
    depth: int = 3
    factor: float = 0.3
    alpha: float = 1.0

    def validate(self):
        super().validate()
        if self.chains < 1 or self.depth < 1 or self.alpha <= 0:
            raise ConfigError(
                "at least one chain, a depth of at least 1 and an alpha above 0",
                f"{self.chains}, {self.depth}, {self.alpha}",
            )

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        dtype = jnp.promote_types(x.dtype, jnp.float32)
        weights = jax.random.dirichlet(ctx.rng("chains"), jnp.full(self.chains, self.alpha, dtype), x.shape[:1])
        kept = jax.random.beta(ctx.rng("kept"), self.alpha, self.alpha, (x.shape[0], 1, 1, 1), dtype)
        y = jnp.repeat(x, self.chains, 0)
        for step in range(self.depth):
            y = self.changed(y, ctx, str(step))
        mixed = jnp.einsum("nk,nkhwc->nhwc", weights, y.reshape(-1, self.chains, *x.shape[1:]))
        return (kept * x + (1 - kept) * mixed).astype(x.dtype)
