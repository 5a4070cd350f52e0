"""Where a training starts: parameters, and what the first step updates."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ParamsError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import check_params
from compose.core.warning import warn
from compose.train.alike import like_trained
from compose.train.copies import copied
from compose.train.distribution import Distribution
from compose.train.loss_scale import first_scale
from compose.train.optimizer_state import Stored
from compose.train.optimizers import split
from compose.train.task import Task
from compose.train.train_step import Carry, optimizer_start
from compose.train.trained import Trained


def begin(net: Layer, inputs: Any, seed: int, start: Any, distribution: Distribution) -> Trained:
    """The network to start from: `start`, after checking its parameters, or freshly initialised."""
    if start is None:
        params, state = distribution.init(net, seed, inputs)
        return Trained(net, params, state, (), inputs)
    if not isinstance(start, Trained):
        params, state = start
        start = Trained(net, params, state, (), inputs)
    with like_trained(start.inputs):
        _check(net, inputs, start)
    params, state = jax.tree.map(jnp.asarray, (start.params, start.state))
    if start.session is None and start.history:
        warn(
            "the optimizer starts anew: its state is not in what training starts from, only parameters are; "
            "save(path, optimizer=True) keeps it. Starting from the pair (params, state) says that this is meant"
        )
    return Trained(net, params, state, start.history, inputs, start.session if start.net == net else None)


def _check(net: Layer, inputs: Any, start: Trained) -> None:
    try:
        check_params(net, plan(net, inputs), start.params, start.state)
    except ParamsError as e:
        if e.path:
            fresh = f"{{**params, {e.path[0]!r}: net.init(0, x)[0][{e.path[0]!r}]}}"
            e.hint = f"if this layer is new, start with its own parameters: {fresh}"
        raise


def first_carry(task: Task, before: Trained, optimizer_key: Any, steps: int, anew: bool) -> tuple[Carry, Any]:
    """The carry of the first step, and the fixed parameters.

    The optimizer's state is that of `before` if the optimizer is the same, unless it is to start anew.
    """
    training, fixed = split(task.net, before.params, task.freeze)
    session, scale, rate, average = before.session, first_scale(task.scoring.dtype), None, None
    if not jax.tree.leaves(training):
        warn("nothing trains: all parameters of the network are frozen, or it has none")
    if task.regime is not None:
        task.regime.check(training)
        if task.regime.ema is not None:
            average = training
    if session is not None:
        steps = session.steps
        scale = scale and (session.scale or scale)
        if average is not None and session.raw is not None:
            training = split(task.net, session.raw, task.freeze)[0]
    opt_state = None
    if session is not None and not anew:
        if isinstance(session.optimizer_state, Stored):
            opt_state = session.optimizer_state.into(jax.eval_shape(optimizer_start(task.update), training))
        elif session.optimizer == task.update or session.optimizer_key == optimizer_key:
            same = jax.tree.structure(jax.eval_shape(optimizer_start(task.update), training))
            if same == jax.tree.structure(session.optimizer_state):  # other parameters may be frozen now
                opt_state = session.optimizer_state
    if opt_state is None:
        opt_state = optimizer_start(task.update)(training)
    else:
        rate = None if session is None else session.rate
    carry = Carry(training, opt_state, before.state, jnp.int32(steps), scale, rate, average)
    return copied(carry), fixed  # the carry is donated, so the caller's arrays must not be in it
