"""Losses that compare several outputs of one network, and one for sequences without alignment."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.layers.reduce import root
from compose.train.losses.loss import loss


@loss(targets="pairs")
def contrastive(predictions, targets, *, margin: float = 1.0):
    """`t d² + (1 - t) max(0, margin - d)²` for the distance `d` of two embeddings; 1 means that they belong together.

    Hadsell et al., 2006. Predictions: a tuple of two arrays `(n, size)`; targets: 0 or 1 for each pair.
    """
    if not margin > 0:
        raise ConfigError("a margin above 0", repr(margin))
    a, b = predictions
    square = jnp.sum(jnp.square(a - b), -1)
    distance = root(square)
    t = targets.astype(a.dtype)
    return t * square + (1 - t) * jnp.square(jnp.maximum(0, margin - distance))


@loss(targets="none")
def triplet(predictions, targets=None, *, margin: float = 1.0):
    """`max(0, |anchor - positive| - |anchor - negative| + margin)`, for a network with these three outputs.

    Balntas et al., 2016. There are no targets: `fit(x, None, loss="triplet")`. Elsewhere: torch `TripletMarginLoss`.
    """
    anchor, positive, negative = predictions
    return optax.losses.triplet_margin_loss(anchor, positive, negative, margin=margin, eps=1e-12)


@loss(over="classes", targets="sequence")
def ctc(logits, targets, real=None, *, blank: int = 0):
    """Connectionist temporal classification: the log-likelihood of a sequence of labels over all its alignments.

    Graves et al., 2006. Logits `(n, time, classes)`, targets `(n, length)`, padded with the blank or a negative number.
    Steps that are masked are left out. The value is for each example, as in Keras; torch's mean divides by the lengths.
    """
    absent = (targets < 0) | (targets == blank)
    padded = jnp.zeros(logits.shape[:2], logits.dtype) if real is None else (~real).astype(logits.dtype)
    labels = jnp.where(absent, blank, targets)
    return optax.ctc_loss(logits, padded, labels, absent.astype(logits.dtype), blank_id=blank)
