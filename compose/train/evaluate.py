"""Evaluate a network: loss and metrics on examples."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.precision import compute_dtype
from compose.core.run import check_params
from compose.train.batches import Batches
from compose.train.epoch import run_epoch
from compose.train.examples import Examples, examples
from compose.train.logits import refuse_hidden_probabilities
from compose.train.losses import Loss, check_targets, loss_of
from compose.train.metrics import metric_of
from compose.train.train_step import evaluation_steps


def evaluate(
    net: Layer, params, state, x, y, *, loss: Any, metrics: Any, batch_size: int, precision: Any = None
) -> dict[str, float]:
    """See `Trained.evaluate`."""
    data = examples(x, y)
    check_params(net, plan(net, data.specs(1)), params, state)
    scoring = Scoring(net, loss_of(loss), metrics, compute_dtype(precision))
    scoring.check(data)
    scoring.check_end(data, params, state)
    batches = Batches(data, min(batch_size, data.count), 2 << 30)
    return scoring.named(scoring.measure(params, state, batches))


class Scoring:
    """A loss and metrics for one network, which is computed in `dtype`; None for that of its parameters."""

    def __init__(self, net: Layer, loss: Loss, metrics: Any, dtype: Any = None):
        metrics = metrics if isinstance(metrics, (tuple, list)) else (metrics,)
        self.net, self.loss, self.dtype = net, loss, dtype
        self.metrics = tuple(metric_of(m, loss) for m in metrics)
        self.names = ("loss", *(m.name for m in self.metrics))
        if len(set(self.names)) < len(self.names):
            raise ConfigError("metrics whose names differ", ", ".join(self.names), "give functions a __name__")

    @property
    def size(self) -> int:
        return len(self.names)

    def check(self, data: Examples) -> None:
        """Raise unless the examples fit the network and the targets fit its output."""
        check_targets(self.loss, plan(self.net, data.specs(1)).out, data.y)

    def check_end(self, data: Examples, params, state) -> None:
        """Raise if a loss on logits would receive probabilities."""
        if self.loss.over is not None:
            few = jax.tree.map(lambda a: jnp.asarray(a[:8]), data.x)
            refuse_hidden_probabilities(self.net, params, state, few, self.loss.over)

    @functools.cached_property
    def _steps(self) -> Any:
        return evaluation_steps(self.net, self.loss, self.metrics, self.dtype)

    def measure(self, params, state, batches: Batches, compiling: Callable = nullcontext) -> np.ndarray:
        """The mean loss and metrics over all batches. Compiling happens within `compiling()`."""
        order = np.arange(batches.data.count)
        return run_epoch(self._steps, (), (params, state), batches, order, self.size, compiling=compiling)[1]

    def named(self, means: np.ndarray, prefix: str = "") -> dict[str, float]:
        return {prefix + name: float(value) for name, value in zip(self.names, means)}
