"""torch.nn losses whose targets are classes or sequences: they weigh, ignore and reduce in their own ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.port.train.losses.subgradients import constant, weighted

Loss = Callable[..., jax.Array]


def cross_entropy(m: Any, axis: int) -> Loss:
    """Of logits, by class indices or by probabilities of the classes."""
    weight, smooth = constant(m.weight), m.label_smoothing
    # with probabilities the mean is over all examples, whatever their weights
    reduce = {"mean": jnp.mean, "sum": jnp.sum, "none": lambda x: x}[m.reduction]

    def apply(predictions, targets):
        logs = jax.nn.log_softmax(_classes_last(predictions, axis))
        if not jnp.issubdtype(targets.dtype, jnp.floating):
            return _of_indices(logs, targets, weight, m.ignore_index, m.reduction, smooth)
        targets = _classes_last(targets, axis) * (1 - smooth) + smooth / logs.shape[-1]
        return reduce(-weighted(logs * targets, weight).sum(-1))

    return apply


def nll(m: Any, axis: int) -> Loss:
    """Of log-probabilities, by class indices."""
    weight = constant(m.weight)

    def apply(predictions, targets):
        return _of_indices(_classes_last(predictions, axis), targets, weight, m.ignore_index, m.reduction, 0.0)

    return apply


def _classes_last(x, axis: int):
    return x if x.ndim == 1 else jnp.moveaxis(x, axis, -1)


def _of_indices(logs, targets, weight, ignored: int, reduction: str, smooth: float):
    """The mean divides by the weights of the targets; ignored ones count as nothing."""
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
    """Of log-probabilities `(time, batch, classes)`; the mean divides each by its label's length first."""

    def apply(predictions, targets):
        labels, input_lengths, label_lengths = targets
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
