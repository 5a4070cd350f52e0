"""A metric over the data: a value that starts empty, to which each batch adds, and its result at the end.

What accumulates is a tree of arrays: sums, counts, a histogram, or the scores of all examples. So the result is that of
the whole data, whatever the batches were.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError

CLASSES, BINARY, NUMBERS = "classes", "binary", "numbers"  # what the targets of an output are


@dataclass(frozen=True)
class Subject:
    """What a metric measures: one output against its targets.

    Attributes:
        kind: what the targets are: labels of "classes" (or one-hot), "binary" for each output (0 and 1, or -1 and 1),
            or "numbers".
        over: the activation from logits to probabilities that the loss skips: of "classes", of "elements", or None.
        threshold: the output above which a binary prediction is positive.
        middle: the value between the two binary targets.
        outputs, targets: their shapes without the batch.
        partial: whether some targets do not count: padding, or an ignored label.
        count: the number of examples in the data; 0 at the start of a stream.
    """

    kind: str
    over: str | None = None
    threshold: float = 0.5
    middle: float = 0.5
    outputs: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    partial: bool = False
    count: int = 0

    @property
    def columns(self) -> int:
        """The number of classes, or of outputs along the last axis."""
        return self.outputs[-1] if self.outputs else 1

    @property
    def rows(self) -> int:
        """The number of targets in all the data, those of the last axis as one."""
        return self.count * math.prod(self.outputs[:-1])

    def rows_of(self, targets: Any) -> int:
        """The number of them in a batch of targets, which may have another number of steps."""
        return targets.size if len(self.targets) < len(self.outputs) else targets.size // max(self.columns, 1)


@dataclass(frozen=True)
class Batch:
    """One batch: the network's outputs, the loss's predictions (logits if it takes them), and the targets.

    `real` is None, or False for targets that do not count, with the shape of the targets or of their first axes.
    """

    about: Subject
    outputs: Any
    logits: Any
    targets: Any
    real: Any = None

    @property
    def scores(self) -> Any:
        """What classes are ranked by: logits where they are known, since a softmax may saturate."""
        return self.logits if self.about.over else self.outputs

    @property
    def labels(self) -> Any:
        """Integer labels, from labels or one-hot."""
        return self.targets if self.targets.ndim < self.scores.ndim else self.targets.argmax(-1)

    @property
    def positive(self) -> Any:
        """Whether each binary prediction is positive."""
        return self.scores > self.about.threshold

    @property
    def truth(self) -> Any:
        """Whether each binary target is positive."""
        return self.targets > self.about.middle

    @property
    def probabilities(self) -> Any:
        if self.about.over == "classes":
            return jax.nn.softmax(self.logits)
        return jax.nn.sigmoid(self.logits) if self.about.over == "elements" else self.outputs

    def rows(self, *arrays: Any) -> tuple[Any, ...]:
        """Arrays as `(rows, columns)`, and whether each element counts, or None if all do."""
        shaped = [a.reshape(-1, a.shape[-1] if a.ndim > 1 else 1) for a in arrays]
        return (*shaped, None if self.real is None else like(self.real, arrays[0]).reshape(shaped[0].shape))


@dataclass(frozen=True)
class Metric:
    """A metric: its name in the history, and how it accumulates.

    Attributes:
        name: its name in the history.
        start: `start(subject)`, the empty value, a tree of arrays.
        add: `add(value, batch)`, the value with a batch added; it is compiled into the step.
        result: `result(value, subject)`, a float, or an array, on the host.
        kinds: the kinds of targets that it fits.
        number: whether the result is one number. Others, such as a confusion matrix, are for `evaluate`.
        live: whether its result is cheap enough to show it while an epoch runs.
        alike: whether the targets must have the shape of the outputs.
        whole: whether it takes whatever the outputs and targets are, several of them too.
        room: `room(value, rows)`, on the host: the value with room for so many targets more, for a stream, whose length
            is not known; None for what does not grow with the data.
    """

    name: str
    start: Callable[[Subject], Any]
    add: Callable[[Any, Batch], Any]
    result: Callable[[Any, Subject], Any]
    kinds: tuple[str, ...] = (CLASSES, BINARY, NUMBERS)
    number: bool = True
    live: bool = True
    alike: bool = False
    whole: bool = False
    room: Callable[[Any, int], Any] | None = None


def averaged(
    name: str, each: Callable[[Batch], Any], kinds: tuple[str, ...], alike: bool = False, whole: bool = False
) -> Metric:
    """The mean of `each(batch)` over all that counts."""

    def start(about: Subject) -> Any:
        return (jnp.zeros((), float), jnp.zeros((), float)) if about.partial else jnp.zeros((), float)

    def add(value: Any, batch: Batch) -> Any:
        found = each(batch)
        if not isinstance(value, tuple):
            size = jax.tree.leaves(batch.outputs)[0].shape[0]
            mean = jnp.mean(found, dtype=None if jnp.issubdtype(jnp.result_type(found), jnp.inexact) else float)
            return value + size * mean.astype(float)
        if jnp.ndim(found) == 0:
            raise ConfigError(
                "a metric with a value for each example or step, since some do not count", f"{name} returns one number"
            )
        real = like(batch.real, found)
        return value[0] + jnp.sum(jnp.where(real, found, 0)), value[1] + jnp.sum(real)

    def result(value: Any, about: Subject) -> float:
        total, count = value if isinstance(value, tuple) else (value, about.count)
        return float(total) / float(count) if count else math.nan

    return Metric(name, start, add, result, kinds, alike=alike, whole=whole)


def metric(
    name: str,
    start: Callable[[], Any],
    add: Callable[[Any, Any, Any], Any],
    result: Callable[[Any], Any] = float,
    number: bool = True,
) -> Metric:
    """A metric of your own that accumulates over the data.

    Args:
        name: its name in the history.
        start: `start()`, the empty value: an array, or a tree of arrays.
        add: `add(value, predictions, targets)`, the value after another batch, in `jax.numpy`.
        result: `result(value)`, on the host: a float, or an array if not `number`.

    >>> import jax.numpy as jnp
    >>> from compose import metrics
    >>> largest = metrics.metric("largest", lambda: jnp.zeros(()), lambda m, p, t: jnp.maximum(m, abs(p - t).max()))
    >>> largest.name
    'largest'
    """
    return Metric(
        name, lambda about: start(), lambda value, batch: add(value, batch.outputs, batch.targets),
        lambda value, about: result(value), number=number, whole=True,
    )  # fmt: skip


def like(real: Any, array: Any) -> Any:
    """A mask over the first axes of an array, repeated over the others."""
    if real.ndim > array.ndim:  # targets in a column, as one number for each example
        real = real.reshape(array.shape)
    return jnp.broadcast_to(real.reshape(real.shape + (1,) * (array.ndim - real.ndim)), array.shape)
