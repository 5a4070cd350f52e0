"""`fit`: train a network on examples."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import check_params, init
from compose.train.batches import Feed
from compose.train.epoch import Pace, run_pass
from compose.train.evaluate import Scoring
from compose.train.examples import Examples, examples, hold_out
from compose.train.interrupt import Interrupt
from compose.train.losses import loss_of
from compose.train.optimizers import merge, optimizer_of, split
from compose.train.progress import progress
from compose.train.train_step import Carry, training_steps
from compose.train.trained import Session, Trained
from compose.train.types import Data, LossLike, MetricLike, OptimizerLike, Rate


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
    verbose: bool = True,
) -> Trained:
    """Train `net` on inputs `x` and targets `y`.

    The same seed gives the same bits: parameters start as `net.init(seed, x)`, epoch `e` (from 0) takes the
    examples in the order `np.random.default_rng([seed, e]).permutation(n)`, and step `s` (from 0) gives
    layers that draw `jax.random.fold_in(jax.random.key(seed), s)`. The last, smaller batch is used too.
    Ctrl-C ends training after the steps that run, and returns what is trained so far; an epoch cut short is
    not in the history, and going on starts it again.

    Args:
        x, y: arrays whose first axis counts the examples, or tuples of them for several inputs or outputs.
        loss: a name (`mse`, `mae`, `huber`, `log_cosh`, `cross_entropy`, `binary_cross_entropy`, `hinge`,
            `poisson`), or a function of (predictions, targets) that gives a number or an array to average.
            `cross_entropy` takes integer labels or one-hot. Both cross entropies, and optax's, are computed
            from logits: a final softmax, log_softmax or sigmoid of the network is taken off for the loss
            and stays on for predictions and metrics.
        optimizer: an optax transformation, or a name (`adam`, `rmsprop`, `sgd`, ...).
        learning_rate: for an optimizer by name: a number, or an optax schedule, which counts steps.
        epochs: how many times to go over the examples.
        batch_size: examples a step.
        validation: a fraction of the examples, taken from their end before any shuffling; or a pair (x, y).
        metrics: names (`accuracy`, `binary_accuracy`, `top_5`, `mse`, `mae`) or functions of (predictions,
            targets).
        seed: for parameters, order and dropout.
        start: what to go on from: a `Trained`, or a pair (params, state).
        memory: bytes of examples to keep on the device; what takes more is streamed from the host.
        verbose: show a progress bar on a terminal, one line an epoch elsewhere.

    Raises `DataError` for examples that cannot be trained on, `LayerError` for a network they do not fit
    and for options that mean nothing.

    >>> import numpy as np
    >>> from compose import fc
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> trained = fc(1).fit(x, 3 * x + 1, loss="mse", optimizer="adam", learning_rate=0.1, epochs=99, verbose=False)
    >>> print(trained.predict(np.float32([[2.0]])).round(2))
    [[7.]]
    """
    options = dict(
        loss=loss, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, metrics=metrics,
        seed=seed, memory=memory, verbose=verbose,
    )  # fmt: skip
    _at_least(1, epochs=epochs, batch_size=batch_size)
    _at_least(0, seed=seed)
    update = optimizer_of(optimizer, learning_rate)
    data, held_out = _parts(examples(x, y), validation)
    if batch_size > data.count:
        raise DataError(f"a batch of {batch_size} is larger than the {data.count} examples to train on")

    scoring = Scoring(net, loss_of(loss), metrics)
    before = _begin(net, data, seed, start)
    for part in (data,) if held_out is None else (data, held_out):
        scoring.check(part)
    scoring.check_end(data, before.params, before.state)
    training, fixed = split(net, before.params)
    carry = _carry(before, update, training, len(before.history) * -(-data.count // batch_size))
    run = training_steps(net, scoring.loss, scoring.metrics, update)
    feed, pace = Feed(data, batch_size, memory), Pace()
    validating = None if held_out is None else Feed(held_out, min(batch_size, held_out.count), memory)

    key, history = jax.random.key(seed), list(before.history)
    first, last = len(history) + 1, len(history) + epochs
    with Interrupt() as interrupt, progress(verbose, first, last, data.count) as shown:
        for epoch in range(first, last + 1):
            shown.begin(epoch)
            began = time.perf_counter()
            order = np.random.default_rng([seed, epoch - 1]).permutation(data.count)
            carry, means = run_pass(
                run, carry, (fixed, key), feed, order, scoring.size, pace,
                report=lambda done, means: shown.advance(done, scoring.named(means)),
                stopped=lambda: interrupt.asked,
            )  # fmt: skip
            if interrupt.asked:
                shown.note(f"stopped in epoch {epoch}; what is trained so far is returned")
                break
            record = {"epoch": float(epoch), "seconds": time.perf_counter() - began, **scoring.named(means)}
            if validating is not None:
                params = merge(carry.training, fixed)
                record |= scoring.named(scoring.measure(params, carry.state, validating), "val_")
            history.append(record)
            shown.end(record)
            if not np.isfinite(record["loss"]):
                said = f"training stopped: the loss is {record['loss']}; try a lower learning rate"
                warnings.warn(said, stacklevel=2)
                break
    session = Session(options, update, carry.optimizer, int(carry.step))
    return Trained(net, merge(carry.training, fixed), carry.state, tuple(history), data.specs(1), session)


def _carry(before: Trained, update: Any, training: Any, steps: int) -> Carry:
    """What the first step starts from: the optimizer's state goes on if it is the optimizer's of `before`."""
    session = before.session
    if session is not None:
        steps = session.steps
    if session is not None and session.optimizer == update:
        averages = session.optimizer_state
    else:
        averages = jax.jit(update.init)(training)
    carry = Carry(training, averages, before.state, jnp.int32(steps))
    return jax.tree.map(jnp.copy, carry)  # it is donated, and the caller keeps what it came from


def _begin(net: Layer, data: Examples, seed: int, start: Any) -> Trained:
    """Where to go on from: `start`, whose parameters must be the network's, or a fresh draw."""
    inputs = data.specs(1)
    if start is None:
        params, state = init(net, seed, inputs)
        return Trained(net, params, state, (), inputs)
    if not isinstance(start, Trained):
        params, state = start
        start = Trained(net, params, state, (), inputs)
    check_params(net, plan(net, inputs), start.params, start.state)
    params, state = jax.tree.map(jnp.asarray, (start.params, start.state))
    return Trained(net, params, state, start.history, inputs, start.session if start.net == net else None)


def _parts(data: Examples, validation: Any) -> tuple[Examples, Examples | None]:
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        return data, examples(*validation)
    return hold_out(data, validation)


def _at_least(least: int, **options: Any) -> None:
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ConfigError(f"{name} to be a whole number of at least {least}", repr(value))
