"""Losses of torch and Keras as functions of predictions and targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from compose.core.errors import ConfigError
from compose.port.train.frameworks import source_of

__all__ = ["loss"]


def loss(source: Any, axis: int | None = None) -> Callable[..., jax.Array]:
    """A function `f(predictions, targets)` with the value and gradients of a `torch.nn` or `keras.losses` loss object.

    It returns a scalar, or an array if the reduction is none. Losses of several predictions take a tuple:
    `CosineEmbeddingLoss` and `MarginRankingLoss` `(x1, x2)`, `TripletMarginLoss` `(anchor, positive, negative)`
    and no targets, `GaussianNLLLoss` `(mean, variance)`; `CTCLoss` takes the targets `(labels, input lengths,
    label lengths)`, with padded labels. Subgradients at kinks are torch's, or for Keras those of its JAX backend.

    Args:
        source: a loss object, such as `torch.nn.CrossEntropyLoss(label_smoothing=0.1)`.
        axis: the class axis for torch's `CrossEntropyLoss`, `NLLLoss`: 1 as in torch, -1 for channels last.

    >>> import torch
    >>> f = loss(torch.nn.CrossEntropyLoss())
    >>> print(f"{f(jax.numpy.array([[2.0, 0.0]]), jax.numpy.array([0])):.4f}")
    0.1269
    """
    framework, kind = source_of(source, "loss")
    if framework == "torch":
        from compose.port.train.losses.torch import torch_loss

        return torch_loss(source, kind, 1 if axis is None else axis)
    if axis is not None:
        raise ConfigError("no axis, since a Keras loss has its own", str(axis), "pass axis to the Keras loss")
    from compose.port.train.losses.keras import keras_loss

    return keras_loss(source, kind)
