"""Gradient clipping as in torch and Keras."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def clip_grad_norm(max_norm: float, norm_type: float = 2.0) -> optax.GradientTransformation:
    """`torch.nn.utils.clip_grad_norm_`: unlike `optax.clip_by_global_norm`, it divides by the global norm plus 1e-6.

    Chain it before the optimizer. (`clip_grad_value_` is `optax.clip`.)
    """

    def clip(updates, params):
        norms = jnp.stack([jnp.linalg.norm(g.ravel(), norm_type) for g in jax.tree.leaves(updates)])
        factor = jnp.minimum(1, max_norm / (jnp.linalg.norm(norms, norm_type) + 1e-6))
        return jax.tree.map(lambda g: g * factor, updates)

    return optax.stateless(clip)


def clip_each_norm(max_norm: float) -> optax.GradientTransformation:
    """Keras `clipnorm`: clips each array by its own norm."""
    clip = lambda g: g * max_norm / jnp.maximum(jnp.sqrt(jnp.square(g).sum()), max_norm)
    return optax.stateless(lambda updates, params: jax.tree.map(clip, updates))


def clip_all_norm(max_norm: float) -> optax.GradientTransformation:
    """Keras `global_clipnorm`: clips all arrays by the global norm; if it is not finite, all become NaN."""

    def clip(updates, params):
        norm = optax.tree.norm(updates)
        factor = max_norm * jnp.minimum(1 / norm, 1 / max_norm) + (norm - norm)
        return jax.tree.map(lambda g: g * factor, updates)

    return optax.stateless(clip)
