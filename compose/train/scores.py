"""What the compiled steps compute besides the network: the loss to minimise, and how scores accumulate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.core.layer import Layer
from compose.train.heads import Head, Scored
from compose.train.logits import Outputs, forward
from compose.train.weights import apart, weight_for


@dataclass(frozen=True)
class Scores:
    """The losses and metrics of all outputs."""

    heads: tuple[Head, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scores in the history: the loss, each output's loss if there are several, the metrics."""
        several = [f"{head.prefix}loss" for head in self.heads if head.name]
        return ("loss", *several, *(head.prefix + m.name for head in self.heads for m in head.metrics))

    def compute(self, net: Layer, params: Any, state: Any, x: Any, y: Any, ctx: Context, dtype: Any) -> Any:
        """Run the network on a batch: the loss, the state after it, and what `add` takes."""
        outputs, after = forward(net, params, state, x, ctx, dtype)
        value, found = self.measure(outputs, y)
        return value, after, found

    def measure(self, outputs: Outputs, y: Any) -> tuple[Any, tuple[Scored, ...]]:
        """The loss of a batch, the weighted sum over the outputs; and what `add` takes."""
        targets, weights = apart(y)
        found = tuple(head.measure(outputs, targets, weight_for(weights, head.name)) for head in self.heads)
        terms = [s.value if head.weight == 1 else head.weight * s.value for head, s in zip(self.heads, found)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total, found

    def start(self, count: int) -> Any:
        """The empty sums, for `count` examples: for each output, those of its loss and of its metrics."""
        zero = lambda: jnp.zeros((), float)
        return tuple(
            (
                (zero(), zero()) if head.about.partial and not head.loss.takes_mask else zero(),
                tuple(m.start(replace(head.about, count=count)) for m in head.metrics),
            )
            for head in self.heads
        )

    @property
    def grow(self) -> bool:
        """Whether sums grow with the data."""
        return any(metric.room is not None for head in self.heads for metric in head.metrics)

    def with_room(self, sums: Any, y: Any) -> Any:
        """The sums with room for a batch of these targets, in those that grow with the data."""

        def one(head: Head, metric: Any, value: Any) -> Any:
            return value if metric.room is None else metric.room(value, head.about.rows_of(head.targets(apart(y)[0])))

        return tuple(
            (loss, tuple(one(head, m, value) for m, value in zip(head.metrics, values)))
            for head, (loss, values) in zip(self.heads, sums)
        )

    def add(self, sums: Any, found: tuple[Scored, ...]) -> Any:
        """The sums with a batch added."""
        return tuple(
            (_add(loss, scored), tuple(m.add(value, scored.batch) for m, value in zip(head.metrics, values)))
            for head, (loss, values), scored in zip(self.heads, sums, found)
        )

    def result(self, sums: Any, examples: int, live: bool = False) -> dict[str, Any]:
        """The scores by name after that many examples; `live` leaves out those that take long."""
        sums = jax.tree.map(np.asarray, sums)
        losses = [_mean(loss, examples) for loss, _ in sums]
        scores: dict[str, Any] = {"loss": sum(head.weight * value for head, value in zip(self.heads, losses))}
        scores |= {f"{head.prefix}loss": value for head, value in zip(self.heads, losses) if head.name}
        for head, (_, values) in zip(self.heads, sums):
            about = replace(head.about, count=examples)
            for metric, value in zip(head.metrics, values):
                if metric.live or not live:
                    scores[head.prefix + metric.name] = metric.result(value, about)
        return scores


def _add(total: Any, scored: Scored) -> Any:
    value = scored.value.astype(float)
    if isinstance(total, tuple):
        return total[0] + scored.count * value, total[1] + scored.count
    return total + jax.tree.leaves(scored.batch.outputs)[0].shape[0] * value


def _mean(total: Any, examples: int) -> float:
    value, count = total if isinstance(total, tuple) else (total, examples)
    return float(value) / float(count) if count else math.nan
