"""Find a learning rate: a short training whose rate rises at every step."""

from __future__ import annotations

import itertools
import operator
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.train.callbacks.event import Event, stop
from compose.train.custom import is_custom
from compose.train.examples import examples
from compose.train.fit import fit
from compose.train.named import pair

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHING = 0.9  # of the losses, since each is of another batch
DIVERGED = 4.0  # times the least loss


@dataclass(frozen=True, eq=False)
class LearningRates:
    """What `lr_find` found.

    Attributes:
        rates, losses: of each step, `(steps,)`; it ends where the loss diverged.
        smooth: the losses smoothed, `(steps,)`.
        suggestion: a tenth of the rate at which the smoothed loss is least.
    """

    rates: np.ndarray
    losses: np.ndarray
    smooth: np.ndarray
    suggestion: float

    def __repr__(self) -> str:
        steps = f"{len(self.rates)} steps from {self.rates[0]:.2g} to {self.rates[-1]:.2g}"
        return f"LearningRates(suggestion={self.suggestion:.2g}, {steps})"

    def plot(self, path: str | os.PathLike | None = None) -> Figure:
        """The losses over the rates, with the suggestion marked, as a matplotlib figure; written to `path` too."""
        from compose.plots.figure import COLORS, Picture, quiet

        figure = Picture(6, 4)
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color=COLORS[0], alpha=0.3)
        axes.plot(self.rates, self.smooth, color=COLORS[0])
        axes.axvline(self.suggestion, color=COLORS[1], linestyle="--", label=f"suggested: {self.suggestion:.2g}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend(frameon=False)
        quiet(axes)
        return figure.to(path)


def lr_find(
    net: Layer,
    x: Any,
    y: Any = None,
    *,
    loss: Any,
    optimizer: str = "adam",
    lowest: float = 1e-7,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
    start: Any = None,
    **options: Any,
) -> LearningRates:
    """Train for a few steps with a rate that rises by the same factor from `lowest` to `highest`.

    The trained parameters are thrown away. Other options are those of `fit`.

    `x` and `y` are arrays, or `x` is a data set of `compose.data`.

    Smith, Cyclical Learning Rates for Training Neural Networks, 2017. Elsewhere: fastai `lr_find`, Lightning's tuner.

    Raises `ConfigError` unless `0 < lowest < highest` and there are at least 10 steps.
    """
    if not 0 < lowest < highest or steps < 10:
        raise ConfigError("0 < lowest < highest and 10 steps or more", f"{lowest}, {highest} and {steps} steps")
    x, y = pair(x, y)
    data = examples(x, y, net=None if is_custom(loss) else net)
    size = min(batch_size, data.count)

    def batches() -> Iterator[Any]:
        for epoch in itertools.count():
            order = np.random.default_rng([seed, epoch]).permutation(data.count)
            for at in range(0, data.count - size + 1, size):
                rows = order[at : at + size]
                part = jax.tree.map(operator.itemgetter(rows), (data.x, data.y))
                yield part[0] if y is None and is_custom(loss) else part

    def diverged(event: Event) -> Any:
        return stop if event.scores["loss"] > DIVERGED * min(row["loss"] for row in event.history) else None

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training stopped: the loss is")
        trained = fit(
            net, batches, loss=loss, optimizer=optimizer, epochs=steps, steps_per_epoch=1, verbose=False, seed=seed,
            learning_rate=optax.exponential_decay(lowest, steps - 1, highest / lowest), callbacks=[diverged],
            start=None if start is None else (start.params, start.state), **options,
        )  # fmt: skip
    losses = np.array([row["loss"] for row in trained.history])
    losses = losses[np.isfinite(losses)]
    rates = lowest * (highest / lowest) ** (np.arange(len(losses)) / (steps - 1))
    smooth = _smoothed(losses)
    return LearningRates(rates, losses, smooth, float(rates[smooth.argmin()] / 10))


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """The exponential moving average, as if it had begun long ago."""
    total, smooth = 0.0, []
    for i, value in enumerate(losses, 1):
        total = SMOOTHING * total + (1 - SMOOTHING) * value
        smooth.append(total / (1 - SMOOTHING**i))
    return np.array(smooth)
