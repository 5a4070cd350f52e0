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
from compose.train.batches import Batches
from compose.train.epoch import StepsPerCall, run_epoch
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
    batches, steps_per_call = Batches(data, batch_size, memory), StepsPerCall()
    validating = None if held_out is None else Batches(held_out, min(batch_size, held_out.count), memory)

    key, history = jax.random.key(seed), list(before.history)
    first, last = len(history) + 1, len(history) + epochs
    with Interrupt() as interrupt, progress(verbose, first, last, data.count) as shown:
        for epoch in range(first, last + 1):
            shown.begin(epoch)
            began = time.perf_counter()
            order = np.random.default_rng([seed, epoch - 1]).permutation(data.count)
            carry, means = run_epoch(
                run, carry, (fixed, key), batches, order, scoring.size, steps_per_call,
                report=lambda done, means: shown.advance(done, scoring.named(means)),
                stopped=lambda: interrupt.asked,
            )  # fmt: skip
            if interrupt.asked:
                shown.note(f"stopped in epoch {epoch}; returning the network trained so far")
                break
            record = {"epoch": float(epoch), "seconds": time.perf_counter() - began, **scoring.named(means)}
            if validating is not None:
                params = merge(carry.training, fixed)
                record |= scoring.named(scoring.measure(params, carry.state, validating), "val_")
            history.append(record)
            shown.end(record)
            if not np.isfinite(record["loss"]):
                message = f"training stopped: the loss is {record['loss']}; try a lower learning rate"
                warnings.warn(message, stacklevel=2)
                break
    session = Session(options, update, carry.opt_state, int(carry.step))
    return Trained(net, merge(carry.training, fixed), carry.state, tuple(history), data.specs(1), session)


def _carry(before: Trained, update: Any, training: Any, steps: int) -> Carry:
    """The carry of the first step. The optimizer's state is kept if the optimizer is the one of `before`."""
    session = before.session
    if session is not None:
        steps = session.steps
    if session is not None and session.optimizer == update:
        opt_state = session.optimizer_state
    else:
        opt_state = jax.jit(update.init)(training)
    carry = Carry(training, opt_state, before.state, jnp.int32(steps))
    return jax.tree.map(jnp.copy, carry)  # the carry is donated, so the caller's arrays must not be in it


def _begin(net: Layer, data: Examples, seed: int, start: Any) -> Trained:
    """The network to start from: `start`, after checking its parameters, or freshly initialised."""
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
            raise ConfigError(f"{name} to be an integer of at least {least}", repr(value))
