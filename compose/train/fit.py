"""`fit`: train a network on examples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.core.precision import compute_dtype
from compose.train.disk_cache import disk_cache
from compose.train.evaluate import Scoring
from compose.train.examples import Examples, examples, hold_out
from compose.train.loop import train
from compose.train.losses import loss_of
from compose.train.optimizers import optimizer_of
from compose.train.trained import Trained
from compose.train.types import Data, LossLike, MetricLike, OptimizerLike, Precision, Rate


def fit(
    net: Layer,
    x: Data,
    y: Data,
    *,
    loss: LossLike,
    optimizer: OptimizerLike = "adam",
    learning_rate: Rate | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    validation: float | tuple[Data, Data] | None = None,
    metrics: MetricLike | Sequence[MetricLike] = (),
    seed: int = 0,
    start: Trained | tuple[dict[str, Any], dict[str, Any]] | None = None,
    memory: int = 2 << 30,
    precision: Precision = None,
    cache: str | os.PathLike | None = None,
    verbose: bool = True,
) -> Trained:
    """Train `net` on inputs `x` and targets `y`.

    Training is bitwise reproducible for a given seed: parameters are `net.init(seed, x)`, epoch `e` (from 0) visits the
    examples in the order `np.random.default_rng([seed, e]).permutation(n)`, and step `s` (from 0) passes
    `jax.random.fold_in(jax.random.key(seed), s)` to layers that use randomness. A smaller last batch is used
    too. Ctrl-C finishes the running steps and returns the network trained so far; the interrupted epoch is
    not recorded in the history, and a later `fit` starts it again.

    Args:
        x, y: arrays with examples along the first axis, or tuples of them for several inputs or outputs.
        loss: a name (`mse`, `mae`, `huber`, `log_cosh`, `cross_entropy`, `binary_cross_entropy`, `hinge`,
            `poisson`), or a function of (predictions, targets) that returns a scalar or an array to average.
            `cross_entropy` takes integer or one-hot labels. Both cross entropies, and optax's, are computed
            from logits: a final softmax, log_softmax or sigmoid of the network is skipped for the loss and
            applied for predictions and metrics.
        optimizer: an optax transformation, or a name (`adam`, `rmsprop`, `sgd`, ...).
        learning_rate: for an optimizer given by name: a number, or an optax schedule over steps.
        epochs: number of passes over the examples.
        batch_size: examples per step.
        validation: a fraction of the examples, taken from the end before shuffling; or a pair (x, y).
        metrics: names (`accuracy`, `binary_accuracy`, `top_5`, `mse`, `mae`) or functions of (predictions,
            targets).
        seed: seed for parameters, shuffling and dropout.
        start: where to start from: a `Trained`, or a pair (params, state).
        memory: bytes of examples to keep on the device; larger data is streamed from the host.
        precision: `"bfloat16"` or `"float16"` to compute in it, validation too; parameters, optimizer, outputs, loss,
            statistics and state stay in float32. In float16 the loss is scaled, and a step whose gradients overflow is
            skipped. None computes in float32.
        cache: a folder in which compiled programs are kept, so that another process need not compile them.
        verbose: show a progress bar on a terminal, or one line per epoch elsewhere.

    Raises `DataError` for invalid examples, and `LayerError` if they do not fit the network or an option is
    invalid.

    >>> import numpy as np
    >>> from compose import fc
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> trained = fc(1).fit(x, 3 * x + 1, loss="mse", optimizer="adam", learning_rate=0.1, epochs=99, verbose=False)
    >>> print(trained.predict(np.float32([[2.0]])).round(2))
    [[7.]]
    """
    options = dict(
        loss=loss, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, metrics=metrics,
        seed=seed, memory=memory, precision=precision, cache=cache, verbose=verbose,
    )  # fmt: skip
    _at_least(1, epochs=epochs, batch_size=batch_size)
    _at_least(0, seed=seed)
    update, dtype = optimizer_of(optimizer, learning_rate), compute_dtype(precision)
    data, held_out = _parts(examples(x, y), validation)
    if batch_size > data.count:
        raise DataError(f"a batch of {batch_size} is larger than the {data.count} examples to train on")
    with disk_cache(cache):
        return train(net, data, held_out, Scoring(net, loss_of(loss), metrics, dtype), update, start, epochs, options)


def _parts(data: Examples, validation: Any) -> tuple[Examples, Examples | None]:
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        return data, examples(*validation)
    return hold_out(data, validation)


def _at_least(least: int, **options: Any) -> None:
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ConfigError(f"{name} to be an integer of at least {least}", repr(value))
