"""The heads of a network: each output with its loss, the weight of that loss, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError
from compose.train.logits import Outputs
from compose.train.losses.loss import Loss, widen
from compose.train.metrics.metric import Batch, Metric, Subject, like
from compose.train.output_mask import output_mask


class Scored(NamedTuple):
    """A head's loss of one batch: its mean, over how many values, and what its metrics see."""

    value: Any
    count: Any  # None if all examples count alike
    batch: Batch


@dataclass(frozen=True)
class Head:
    """One output, or the whole output, with its loss and metrics.

    Attributes:
        name: the output's name; empty if there is only one.
        place: its place among the outputs; None for all of them at once.
        key: its targets' place in a tuple, or their key in a dict; None for all.
        loss, weight: its loss, and the factor of that in the sum of the losses.
        metrics: its metrics.
        about: what the metrics measure; its `count` is 0.
        ignore: the label that does not count.
        weighed: whether there are weights of examples, which decide what counts where a mask cannot be told.
    """

    name: str
    place: int | None
    key: int | str | None
    loss: Loss
    weight: float
    metrics: tuple[Metric, ...]
    about: Subject
    ignore: int | None = None
    weighed: bool = False

    @property
    def prefix(self) -> str:
        return f"{self.name}_" if self.name else ""

    def targets(self, y: Any) -> Any:
        """This output's part of the targets."""
        return y if self.key is None else y[self.key]

    def measure(self, outputs: Outputs, y: Any, weights: Any) -> Scored:
        """The loss of a batch, as the mean over what counts, each value times its weight."""
        outputs, targets = outputs.at(self.place), self.targets(y)
        real = self.real(outputs, targets)
        if self.ignore is not None:
            targets = jnp.where(targets == self.ignore, jnp.zeros_like(targets), targets)
        predictions = self.loss.predictions(outputs)
        seen = Batch(self.about, jax.tree.map(widen, outputs.value), predictions, targets, real)
        values = self.loss.each(*self.loss.normalised(outputs, predictions, targets), real)
        if self.loss.takes_mask:
            real = None
        if weights is not None:
            values = values * like(weights.astype(values.dtype), values)
        if real is None:
            return Scored(jnp.mean(values), None, seen)
        real = like(real, values)
        count = jnp.sum(real)
        return Scored(jnp.sum(jnp.where(real, values, 0)) / jnp.maximum(count, 1), count, seen)

    def real(self, outputs: Outputs, targets: Any) -> Any:
        """False where targets do not count: at padded steps, and for the ignored label. None if all count."""
        steps = output_mask(outputs, self.weighed or self.ignore is not None)
        if self.ignore is None:
            return steps
        kept = targets != self.ignore
        return kept if steps is None else kept & like(steps, kept)


class Given(NamedTuple):
    """What one head is given by the user."""

    name: str
    place: int | None
    key: int | str | None
    loss: Any
    weight: float
    metrics: tuple[Any, ...]


def given(names: tuple[str, ...], loss: Any, metrics: Any, loss_weights: Any, y: Any) -> list[Given]:
    """The losses and metrics of each output, from dicts by its name or tuples in order. Raises `ConfigError`.

    A loss that takes all outputs at once, and its metrics, stay together.
    """
    each = isinstance(loss, (Mapping, tuple, list))
    if not each:
        for name, value in (("loss_weights", loss_weights), ("metrics", metrics)):
            if isinstance(value, Mapping) or (value is not None and name == "loss_weights"):
                raise ConfigError(
                    f"{name} by output only with losses by output, as in loss={{'name': 'mse', ...}}", repr(value)
                )
        return [Given("", None, None, loss, 1.0, _tuple(metrics))]
    if not names:
        raise ConfigError("one loss, since the network has one output", repr(loss))
    losses = _by_name(loss, names, "loss")
    measured = _by_name(metrics, names, "metrics") if metrics else {}
    weights = _by_name(loss_weights, names, "loss_weights") if loss_weights is not None else {}
    keys = _keys(y, names, losses)
    return [
        Given(n, names.index(n), keys[n], losses[n], _weight(weights.get(n, 1.0)), _tuple(measured.get(n, ())))
        for n in names
        if n in losses
    ]  # fmt: skip


def _by_name(value: Any, names: tuple[str, ...], what: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        unknown = [name for name in value if name not in names]
        if unknown:
            raise ConfigError(f"{what} for the outputs {', '.join(names)}", f"{unknown[0]!r}")
        return dict(value)
    if isinstance(value, (tuple, list)) and len(value) == len(names) and what != "metrics":
        return dict(zip(names, value))
    example = ", ".join(f"{name!r}: ..." for name in names)
    raise ConfigError(f"{what} for each output by its name, {{{example}}}", repr(value))


def _keys(y: Any, names: tuple[str, ...], losses: dict[str, Any]) -> dict[str, int | str]:
    if isinstance(y, Mapping):
        missing = [name for name in losses if name not in y]
        if missing:
            raise ConfigError(f"targets for the output {missing[0]!r}", f"targets for {', '.join(map(str, y))}")
        return {name: name for name in losses}
    if isinstance(y, tuple) and len(y) == len(names):
        return {name: i for i, name in enumerate(names)}
    got = f"{len(y)} arrays" if isinstance(y, tuple) else "one array"
    raise ConfigError(f"targets for each output: a dict by name ({', '.join(names)}), or a tuple in this order", got)


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ConfigError("weights of losses that are numbers of at least 0", repr(value))
    return float(value)


def _tuple(metrics: Any) -> tuple[Any, ...]:
    return tuple(metrics) if isinstance(metrics, (tuple, list)) else (metrics,)
