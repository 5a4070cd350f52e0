"""Losses for targets that are classes: integer labels, one-hot, or 0 and 1 for each output."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.train.losses.loss import loss


@loss(over="classes", targets="classes")
def cross_entropy(logits, targets, *, smoothing: float = 0.0):
    """`-log softmax(logits)[target]`; targets are integer labels or distributions (one-hot).

    `smoothing` takes that share of the target's probability and spreads it evenly over all classes (Szegedy et al.,
    2016). Elsewhere: torch `CrossEntropyLoss(label_smoothing=)`, Keras `CategoricalCrossentropy(label_smoothing=)`.
    """
    _share("smoothing", smoothing)
    if smoothing or targets.ndim == logits.ndim:
        return optax.softmax_cross_entropy(logits, _smooth(_distribution(logits, targets), smoothing))
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets)


@loss(over="elements")
def binary_cross_entropy(logits, targets, *, positive_weight: float | tuple[float, ...] = 1.0, smoothing: float = 0.0):
    """`-t log p - (1 - t) log(1 - p)` with `p = sigmoid(logits)`.

    `positive_weight` multiplies the first term: one number, or one for each output. `smoothing` moves targets towards
    1/2 by that share. Elsewhere: torch `BCEWithLogitsLoss(pos_weight=)`, Keras `BinaryCrossentropy(label_smoothing=)`.
    """
    _share("smoothing", smoothing)
    targets = targets.astype(logits.dtype)
    targets = targets * (1 - smoothing) + smoothing / 2 if smoothing else targets
    if positive_weight == 1.0:
        return optax.sigmoid_binary_cross_entropy(logits, targets)
    weight = jnp.asarray(positive_weight, logits.dtype)
    return -(weight * targets * jax.nn.log_sigmoid(logits) + (1 - targets) * jax.nn.log_sigmoid(-logits))


@loss(over="classes", targets="classes")
def focal(logits, targets, *, gamma: float = 2.0):
    """`-(1 - p)^gamma log p` with the probability `p` of the target: examples that are right already count less.

    Lin et al., Focal Loss, 2017. Elsewhere: Keras `CategoricalFocalCrossentropy(alpha=1)`; weights for the classes are
    `class_weight`.
    """
    log_p = jax.nn.log_softmax(logits)
    off = -jnp.expm1(log_p)  # 1 - p, exact where p is near 1
    return -jnp.sum(_distribution(logits, targets) * _power(off, gamma) * log_p, -1)


@loss(over="elements")
def binary_focal(logits, targets, *, gamma: float = 2.0, alpha: float | None = None):
    """The focal loss for each output; `alpha` weighs targets of 1, and `1 - alpha` those of 0.

    Elsewhere: torchvision `sigmoid_focal_loss`, Keras `BinaryFocalCrossentropy`, optax `sigmoid_focal_loss`.
    """
    return optax.sigmoid_focal_loss(logits, targets.astype(logits.dtype), alpha=alpha, gamma=gamma)


@loss(over="scores")
def hinge(predictions, targets):
    """`max(0, 1 - prediction · target)` for targets of -1 and 1; targets of 0 and 1 mean the same.

    Elsewhere: Keras `Hinge`, which maps 0 to -1 too; scikit-learn `hinge_loss`.
    """
    return jnp.maximum(0, 1 - predictions * jnp.where(targets > 0, 1, -1).astype(predictions.dtype))


@loss(over="classes", targets="distribution")
def kl(logits, targets):
    """The divergence `Σ t log(t / softmax(logits))` from the network's distribution to the target's.

    Elsewhere: torch `KLDivLoss(reduction="batchmean")`, Keras `KLDivergence`, which take probabilities or their
    logarithms.
    """
    return optax.kl_divergence(jax.nn.log_softmax(logits), targets.astype(logits.dtype))


def _distribution(logits, targets):
    if targets.ndim == logits.ndim:
        return targets.astype(logits.dtype)
    return jax.nn.one_hot(targets, logits.shape[-1], dtype=logits.dtype)


def _smooth(targets, smoothing: float):
    return optax.smooth_labels(targets, smoothing) if smoothing else targets


def _power(base, exponent: float):
    """`base ** exponent`, whose gradient at 0 is that of whole exponents too."""
    return base ** int(exponent) if float(exponent).is_integer() else base**exponent


def _share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{name} from 0 to below 1", repr(value))
