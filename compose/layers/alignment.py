"""The likelihood of a sequence of labels without its alignment to the steps of another."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError, ShapeError, expect_rank, shape_text
from compose.core.function import function

__all__ = ["ctc_loss"]


@function(floats=True)
def ctc_loss(log_probs, labels, lengths, label_lengths, blank: int = 0, zero_infinity: bool = False):
    """Connectionist temporal classification of log-probabilities: minus the log-likelihood of each example's labels.

    Graves et al., 2006. The gradient is that of logits through `log_softmax`, as in torch: it takes the probabilities
    to sum to 1. Labels that do not fit their steps have an infinite loss. It is NaN where a length is more than there
    are steps or labels.

    Shapes: `((batch, time, classes), (batch, n), (batch,), (batch,)) -> (batch,)`; labels of all examples one behind
    the other are `(sum of lengths,)`. Elsewhere: torch `functional.ctc_loss(..., reduction="none")`, time first.

    Args:
        blank: the class that stands between labels.
        zero_infinity: whether an infinite loss and its gradient are 0.
    """
    expect_rank(log_probs, 3, "(batch, time, classes)")
    expect_rank(labels, (1, 2), "(batch, n), or (sum of lengths,)")
    batch, time, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise ConfigError(f"a blank from 0 to {classes - 1}, one of the classes", str(blank))
    if not lengths.shape == label_lengths.shape == (batch,) or (labels.ndim == 2 and labels.shape[0] != batch):
        got = shape_text((log_probs, labels, lengths, label_lengths))
        raise ShapeError(f"labels and two lengths for each of {batch} examples", got)
    rows, known = _rows(labels, label_lengths)
    path = jnp.full((batch, 2 * rows.shape[1] + 1), blank, rows.dtype).at[:, 1::2].set(rows)
    last = _log_likelihoods(log_probs, path, lengths)
    end = 2 * label_lengths[:, None]
    ends = jnp.take_along_axis(last, jnp.concatenate([end, jnp.maximum(end - 1, 0)], 1), 1)
    ends = ends.at[:, 1].set(jnp.where(label_lengths > 0, ends[:, 1], -jnp.inf))
    steps = jnp.arange(time) < lengths[:, None]
    total = jnp.sum(jnp.where(steps[:, :, None], jnp.exp(log_probs), 0), (1, 2))
    total -= lax.stop_gradient(total)  # 0, with the gradient of the normalisation
    largest = _largest(ends)
    likelihood = jnp.sum(jnp.exp(ends - largest[:, None]), 1)
    if zero_infinity:
        possible = likelihood != 0
        loss = total - jnp.log(jnp.where(possible, likelihood, 1)) - largest
        loss = jnp.where(possible, loss, 0)
    else:
        loss = total - jnp.log(likelihood) - largest
    return jnp.where(known & (lengths <= time), loss, jnp.nan)


def _rows(labels, lengths):
    """The labels of each example, and whether there are as many as its length says."""
    if labels.ndim == 2:
        return labels, lengths <= labels.shape[1]
    starts = jnp.cumsum(lengths) - lengths
    places = starts[:, None] + jnp.arange(labels.size)
    return labels[jnp.minimum(places, labels.size - 1)], starts + lengths <= labels.size


def _log_likelihoods(log_probs, path, lengths):
    """Of the paths that end at each place of `path` after an example's last step."""
    moved = lambda x, n, fill: jnp.pad(x, ((0, 0), (n, 0)), constant_values=fill)[:, : x.shape[1]]
    skips = path != moved(path, 2, 0)  # a label other than that before; two blanks are alike
    scores = jnp.take_along_axis(log_probs, path[:, None, :], 2)
    first = jnp.full(path.shape, -jnp.inf, log_probs.dtype).at[:, 0].set(0)  # before the first step

    def step(before, given):
        score, t = given
        skipped = jnp.where(skips, moved(before, 2, -jnp.inf), -jnp.inf)
        ways = jnp.stack([before, moved(before, 1, -jnp.inf), skipped], -1)
        after = _log_sum(ways) + score
        return jnp.where((t < lengths)[:, None], after, before), None

    times = jnp.arange(log_probs.shape[1])
    return lax.scan(step, first, (jnp.moveaxis(scores, 1, 0), times))[0]


def _log_sum(ways):
    """The logarithm of the sum of exponentials, minus infinity with a gradient of 0 where all are."""
    largest = _largest(ways)
    total = jnp.sum(jnp.exp(ways - largest[..., None]), -1)
    return jnp.where(total == 0, -jnp.inf, jnp.log(jnp.where(total == 0, 1, total)) + largest)


def _largest(x):
    """The largest along the last axis, 0 where it is minus infinity."""
    found = lax.stop_gradient(jnp.max(x, -1))
    return jnp.where(found == -jnp.inf, 0, found)
