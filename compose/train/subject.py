"""What the metrics of an output measure: classes, binary targets or numbers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.train.logits import Outputs
from compose.train.losses.loss import Loss
from compose.train.losses.targets import among, sums_to_1
from compose.train.metrics.metric import BINARY, CLASSES, NUMBERS, Subject


def subject_of(loss: Loss, outputs: Outputs, y: Any, ignore: int | None, partial: bool) -> Subject:
    """The subject of the metrics of one output, from the loss, the final activation and the targets.

    Labels have one axis less than the outputs. Targets with the shape of the outputs are one-hot if they are 0 and 1
    and sum to 1 along an axis of two or more, unless the network ends in a sigmoid or the loss is binary; others of 0
    and 1, or of -1 and 1, are binary.
    """
    out = outputs.value
    kind, threshold, middle = _kind(loss, outputs, y, ignore)
    return Subject(
        kind, loss.over if loss.over in (CLASSES, "elements") else None, threshold, middle,
        tuple(out.shape[1:]), tuple(y.shape[1:]), partial,
    )  # fmt: skip


def _kind(loss: Loss, outputs: Outputs, y: Any, ignore: int | None) -> tuple[str, float, float]:
    out = outputs.value
    columns = out.shape[-1] if out.ndim > 1 else 1
    labels = columns > 1 and tuple(y.shape[1:]) == tuple(out.shape[1:-1]) and jnp.issubdtype(y.dtype, jnp.integer)
    if loss.over == CLASSES or labels:
        return CLASSES, 0.5, 0.5
    if tuple(y.shape[1:]) != tuple(out.shape[1:]):
        return NUMBERS, 0.5, 0.5
    counted = y if ignore is None else y[y != ignore]
    of_scores = loss.over in ("elements", "scores")
    if among(counted, (0, 1)):
        binary = loss.over is not None or outputs.over == "elements" or ignore is not None
        if columns > 1 and not binary and sums_to_1(y):
            return CLASSES, 0.5, 0.5
        return BINARY, 0.0 if of_scores else 0.5, 0.5
    if among(counted, (-1, 1)):
        return BINARY, 0.0, 0.0
    return NUMBERS, 0.5, 0.5
