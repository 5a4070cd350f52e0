"""`torch.nn` losses for classes and sequences, with their own weighting, masking and reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.port.train.losses.subgradients import constant, weighted

Loss = Callable[..., jax.Array]


def cross_entropy(m: Any, axis: int) -> Loss:
    """Cross entropy of logits, for class indices or class probabilities."""
    weight, smooth = constant(m.weight), m.label_smoothing
    # for probabilities, the mean is over all examples, regardless of weights
    reduce = {"mean": jnp.mean, "sum": jnp.sum, "none": lambda x: x}[m.reduction]

    def apply(predictions, targets):
        logs = jax.nn.log_softmax(_classes_last(predictions, axis))
        if not jnp.issubdtype(targets.dtype, jnp.floating):
            return _of_indices(logs, targets, weight, m.ignore_index, m.reduction, smooth)
        targets = _classes_last(targets, axis) * (1 - smooth) + smooth / logs.shape[-1]
        return reduce(-weighted(logs * targets, weight).sum(-1))

    return apply


def nll(m: Any, axis: int) -> Loss:
    """Negative log-likelihood of log-probabilities, for class indices."""
    weight = constant(m.weight)

    def apply(predictions, targets):
        return _of_indices(_classes_last(predictions, axis), targets, weight, m.ignore_index, m.reduction, 0.0)

    return apply


def _classes_last(x, axis: int):
    return x if x.ndim == 1 else jnp.moveaxis(x, axis, -1)


def _of_indices(logs, targets, weight, ignored: int, reduction: str, smooth: float):
    """The mean divides by the sum of the targets' weights; ignored targets have weight 0."""
    weight = jnp.ones(logs.shape[-1], logs.dtype) if weight is None else jnp.asarray(weight, logs.dtype)
    kept = targets != ignored
    index = jnp.where(kept, targets, 0)
    own = jnp.where(kept, weight[index], 0)
    values = -own * jnp.take_along_axis(logs, index[..., None], -1)[..., 0]
    if smooth:
        spread = jnp.where(kept, -(logs * weight).sum(-1), 0)
        values = (1 - smooth) * values + smooth / logs.shape[-1] * spread
    if reduction == "none":
        return values
    return values.sum() / own.sum() if reduction == "mean" else values.sum()


def ctc(m: Any, axis: int) -> Loss:
    """CTC loss of log-probabilities `(time, batch, classes)`; "mean" first divides each loss by its label's length.

    Labels are `(batch, n)`, or those of all examples one behind the other, `(sum of lengths,)`.
    """

    def apply(predictions, targets):
        labels, input_lengths, label_lengths = map(jnp.asarray, targets)
        if labels.ndim == 1:
            starts = jnp.cumsum(label_lengths) - label_lengths
            places = starts[:, None] + jnp.arange(labels.size)
            labels = labels[jnp.minimum(places, labels.size - 1)]
        logs = jnp.swapaxes(predictions, 0, 1)
        beyond = lambda x, lengths: (jnp.arange(x.shape[1]) >= lengths[:, None]).astype(logs.dtype)
        after = beyond(labels, label_lengths)
        values = optax.ctc_loss(logs, beyond(logs, input_lengths), labels, after, blank_id=m.blank)
        repeats = ((labels[:, 1:] == labels[:, :-1]) & (after[:, 1:] == 0)).sum(1)
        possible = label_lengths + repeats <= input_lengths
        values = jnp.where(possible, values, 0.0 if m.zero_infinity else jnp.inf)
        if m.reduction == "mean":
            return (values / jnp.maximum(label_lengths, 1)).mean()
        return values.sum() if m.reduction == "sum" else values

    return apply


WHOLE: dict[str, Callable[[Any, int], Loss]] = {"CrossEntropyLoss": cross_entropy, "NLLLoss": nll, "CTCLoss": ctc}
