"""The training loop: epochs over the examples, from a start to a `Trained`."""

from __future__ import annotations

import time
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import check_params, init
from compose.train.batches import Batches
from compose.train.epoch import StepsPerCall, run_epoch
from compose.train.examples import Examples
from compose.train.interrupt import Interrupt
from compose.train.loss_scale import first_scale
from compose.train.optimizers import merge, split
from compose.train.progress import progress
from compose.train.scoring import Scoring
from compose.train.structural_key import structural_key
from compose.train.train_step import Carry, optimizer_start, training_steps
from compose.train.trained import Session, Trained


def train(
    net: Layer,
    data: Examples,
    held_out: Examples | None,
    scoring: Scoring,
    update: Any,
    start: Trained | tuple[dict[str, Any], dict[str, Any]] | None,
    epochs: int,
    options: dict[str, Any],
) -> Trained:
    """`fit` with its arguments made ready: examples, scoring, an optax transformation; `options` are those of `fit`."""
    batch_size, seed, memory = (options[name] for name in ("batch_size", "seed", "memory"))
    batch_size = min(batch_size, data.count)
    before = _begin(net, data, seed, start)
    scoring.check(data)
    if held_out is not None:
        scoring.check(held_out, "validation")
    scoring.check_end(data, before.params, before.state)
    training, fixed = split(net, before.params)
    optimizer_key = structural_key(update)  # before it runs: schedules may change what they captured
    steps = len(before.history) * -(-data.count // batch_size)
    carry = _carry(before, update, optimizer_key, training, steps, scoring.dtype)
    run = training_steps(net, scoring.scores, update, scoring.dtype)
    batches, steps_per_call = Batches(data, batch_size, memory), StepsPerCall()
    validating = None if held_out is None else Batches(held_out, min(batch_size, held_out.count), memory)

    key, history = jax.random.key(seed), list(before.history)
    first, last = len(history) + 1, len(history) + epochs
    with Interrupt() as interrupt, progress(options["verbose"], first, last, data.count) as shown:
        for epoch in range(first, last + 1):
            shown.begin(epoch)
            began = time.perf_counter()
            order = np.random.default_rng([seed, epoch - 1]).permutation(data.count)
            carry, scores = run_epoch(
                run, carry, (fixed, key), batches, order, scoring.scores, steps_per_call,
                report=shown.advance,
                stopped=lambda: interrupt.asked, compiling=shown.compiling,
            )  # fmt: skip
            if interrupt.asked:
                shown.note(f"stopped in epoch {epoch}; returning the network trained so far")
                break
            record = {"epoch": float(epoch), "seconds": time.perf_counter() - began, **scores}
            if validating is not None:
                params = merge(carry.training, fixed)
                measured = scoring.measure(params, carry.state, validating, shown.compiling)
                record |= {f"val_{name}": value for name, value in measured.items()}
            history.append(record)
            shown.end(record)
            if not np.isfinite(record["loss"]):
                message = f"training stopped: the loss is {record['loss']}; try a lower learning rate"
                warnings.warn(message, stacklevel=3)
                break
    session = Session(options, update, optimizer_key, carry.opt_state, int(carry.step), carry.scale)
    return Trained(net, merge(carry.training, fixed), carry.state, tuple(history), data.specs(1), session)


def _carry(before: Trained, update: Any, optimizer_key: Any, training: Any, steps: int, dtype: Any) -> Carry:
    """The carry of the first step. The optimizer's state is kept if the optimizer is the one of `before`."""
    session, scale = before.session, first_scale(dtype)
    if session is not None:
        steps = session.steps
        scale = scale and (session.scale or scale)
    if session is not None and (session.optimizer == update or session.optimizer_key == optimizer_key):
        opt_state = session.optimizer_state
    else:
        opt_state = optimizer_start(update)(training)
    carry = Carry(training, opt_state, before.state, jnp.int32(steps), scale)
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
