"""`keras.losses` for classes; unless `from_logits`, they take probabilities, clipped to [1e-7, 1 - 1e-7]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax


def binary_crossentropy(eps, from_logits=False, label_smoothing=0.0, axis=-1):
    """Binary cross entropy, averaged over `axis`."""

    def values(x, t):
        t = t.astype(x.dtype) * (1 - label_smoothing) + 0.5 * label_smoothing
        return (_of_logits(x, t) if from_logits else _of_probabilities(x, t, eps)).mean(axis)

    return values


def binary_focal_crossentropy(
    eps, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """Lin et al., Focal Loss, 2017: easy examples count less."""

    def values(x, t):
        t = t.astype(x.dtype) * (1 - label_smoothing) + 0.5 * label_smoothing
        x = jax.nn.sigmoid(x) if from_logits else x
        focus = (1 - (t * x + (1 - t) * (1 - x))) ** gamma
        balance = t * alpha + (1 - t) * (1 - alpha) if apply_class_balancing else 1
        return (balance * focus * _of_probabilities(x, t, eps)).mean(axis)

    return values


def _of_logits(x, t):
    return -t * jax.nn.log_sigmoid(x) - (1 - t) * jax.nn.log_sigmoid(-x)


def _of_probabilities(x, t, eps):
    x = jnp.clip(x, eps, 1 - eps)
    return -(t * jnp.log(x) + (1 - t) * jnp.log(1 - x))


def categorical_crossentropy(eps, from_logits=False, label_smoothing=0.0, axis=-1):
    """Cross entropy for one-hot targets; probabilities are first normalised to sum to one."""

    def values(x, t):
        t = _smoothed(t.astype(x.dtype), label_smoothing)
        return -(t * _log(x, from_logits, axis, eps)).sum(axis)

    return values


def categorical_focal_crossentropy(eps, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    """Lin et al., Focal Loss, 2017: easy examples count less."""

    def values(x, t):
        t = _smoothed(t.astype(x.dtype), label_smoothing)
        p = _clipped(jax.nn.softmax(x, axis) if from_logits else x, axis, eps)
        return -(alpha * (1 - p) ** gamma * t * jnp.log(p)).sum(axis)

    return values


def sparse_categorical_crossentropy(eps, from_logits=False, ignore_class=None, axis=-1):
    """Cross entropy for class indices; `ignore_class` is masked."""

    def values(x, t):
        t = t[..., 0] if t.ndim == x.ndim and t.shape[-1] == 1 else t
        kept = None if ignore_class is None else t != ignore_class
        index = t if kept is None else jnp.where(kept, t, 0)
        x = x if kept is None else jnp.where(jnp.expand_dims(kept, axis), x, 1)
        one_hot = jax.nn.one_hot(index, x.shape[axis], axis=axis, dtype=x.dtype)
        value = -(one_hot * _log(x, from_logits, axis, eps)).sum(axis)
        return value if kept is None else (value, kept)

    return values


def categorical_generalized_cross_entropy(eps, q=0.5):
    """`(1 - p**q) / q` for class indices (Zhang & Sabuncu, Generalized Cross Entropy Loss, 2018)."""
    return lambda x, t: (1 - (x * jax.nn.one_hot(t, x.shape[-1], dtype=x.dtype)).sum(-1) ** q) / q


def _smoothed(t, smoothing: float):
    return t * (1 - smoothing) + smoothing / t.shape[-1]


def _clipped(p, axis: int, eps: float):
    return jnp.clip(p / p.sum(axis, keepdims=True), eps, 1 - eps)


def _log(x, from_logits: bool, axis: int, eps: float):
    return jax.nn.log_softmax(x, axis) if from_logits else jnp.log(_clipped(x, axis, eps))


def categorical_hinge(eps):
    """`max(0, 1 + max(other outputs) - target's output)`."""

    def values(x, t):
        t = t.astype(x.dtype)
        return jnp.maximum(((1 - t) * x).max(-1) - (t * x).sum(-1) + 1, 0)

    return values


def ctc(eps):
    """CTC loss of logits `(batch, time, classes)` and labels padded with 0, which is also the blank."""

    def values(x, t):
        return optax.ctc_loss(x, jnp.zeros(x.shape[:2], x.dtype), t, _after(t).astype(x.dtype), blank_id=0)

    def _after(t):
        return jnp.arange(t.shape[1]) >= (t != 0).sum(-1, keepdims=True)

    return values


VALUES: dict[str, Callable[..., Callable[..., Any]]] = {
    "binary_crossentropy": binary_crossentropy,
    "binary_focal_crossentropy": binary_focal_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "categorical_focal_crossentropy": categorical_focal_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "categorical_generalized_cross_entropy": categorical_generalized_cross_entropy,
    "categorical_hinge": categorical_hinge,
    "ctc": ctc,
}
