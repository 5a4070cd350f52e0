"""Losses: `fit(..., loss="huber")`, or with options `loss=losses.huber(delta=2.0)`.

Any function of (predictions, targets) is one too, such as optax's. The mean of its values is the loss.
"""

from compose.train.losses.classes import binary_cross_entropy, binary_focal, cross_entropy, focal, hinge, kl
from compose.train.losses.loss import Loss
from compose.train.losses.regression import cosine, huber, log_cosh, mae, mse, poisson, quantile
from compose.train.losses.several import contrastive, ctc, triplet

__all__ = [
    "Loss",
    "binary_cross_entropy",
    "binary_focal",
    "contrastive",
    "cosine",
    "cross_entropy",
    "ctc",
    "focal",
    "hinge",
    "huber",
    "kl",
    "log_cosh",
    "mae",
    "mse",
    "poisson",
    "quantile",
    "triplet",
]
