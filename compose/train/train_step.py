"""The compiled training and evaluation steps, many per call.

One executable runs batches `start` to `stop` of an order. Both are runtime arguments, so the same executable
runs a whole epoch or a few steps without recompiling. Each step does what a hand-written loop does: gather
the batch, compute the gradient, update.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from jax import lax

from compose.core.context import Context
from compose.core.layer import Layer
from compose.train.compiled import Compiled
from compose.train.distribution import Distribution
from compose.train.loss_scale import LossScale, adjusted, chosen, finite
from compose.train.optimizers import merge
from compose.train.regime import Regime
from compose.train.scores import Scores
from compose.train.structural_key import by_structure


class Carry(NamedTuple):
    """What a step updates: the trainable parameters, the state of optimizer and network, and the step count.

    Where there are any: in float16 the loss scale, the factor on the learning rate, and the averaged parameters.
    """

    training: Any
    opt_state: Any
    state: Any
    step: Any
    scale: LossScale | None = None
    rate: Any = None
    average: Any = None


@by_structure
def optimizer_start(values) -> Any:
    """For an optimizer, its `init`, compiled: the first state for the trainable parameters."""
    return jax.jit(lambda training: values()[0].init(training))


@by_structure
def training_steps(values: Callable[[], tuple[Layer, Scores, Any, Any, Regime | None, Distribution]]) -> Compiled:
    """For a network, scores, optimizer, dtype, regime and distribution, `run` over training batches.

    The carry is a `Carry`; the constants are the fixed parameters and the key. The network is computed in the dtype;
    with None, in that of its parameters.
    """

    def step(carry: Carry, sums, constants, x, y):
        net, scores, optimizer, dtype, regime, _ = values()
        update = optax.with_extra_args_support(optimizer).update
        fixed, key = constants
        rng = jax.random.fold_in(key, carry.step)
        factor = None if carry.scale is None else carry.scale.factor

        def objective(training):
            params = merge(training, fixed)
            context = Context(train=True, key=rng)
            value, state, found = scores.compute(net, params, carry.state, x, y, context, dtype)
            if regime is not None and regime.penalised:
                value = value + regime.penalty(training)
            seen = value, state, scores.add(sums, found)
            return (value if factor is None else value * factor), seen

        grad, (value, state, after_sums) = jax.grad(objective, has_aux=True)(carry.training)
        if factor is not None:
            grad = jax.tree.map(lambda g: g / factor, grad)
        extra = {"value": value, "grad": grad, "value_fn": lambda training: objective(training)[1][0]}
        updates, opt_state = update(grad, carry.opt_state, carry.training, **extra)
        if carry.rate is not None:
            updates = jax.tree.map(lambda u: (carry.rate * u).astype(u.dtype), updates)
        training, average = optax.apply_updates(carry.training, updates), carry.average
        if regime is not None and average is not None:
            average = regime.averaged(average, training, opt_state)
        after = Carry(training, opt_state, state, carry.step + 1, carry.scale, carry.rate, average)
        return (after if carry.scale is None else _unless_overflow(carry.scale, grad, after, carry)), after_sums

    def settled(carry: Carry, sums, constants):
        distribution = values()[-1]
        params = merge(carry.training, constants[0])
        return distribution.constrain(params, carry), distribution.everywhere(sums)

    return over_batches(step, settled, lambda *chunk: values()[-1].batch(*chunk))


def _unless_overflow(scale: LossScale, grad, after: Carry, before: Carry) -> Carry:
    ok = finite(grad)
    kept = chosen(ok, after._replace(step=None, scale=None), before._replace(step=None, scale=None))
    return kept._replace(step=after.step, scale=adjusted(scale, ok))


@by_structure
def evaluation_steps(values: Callable[[], tuple[Layer, Scores, Any, Distribution]]) -> Compiled:
    """For a network, scores, dtype and distribution, `run` over evaluation batches.

    The carry is empty; the constants are the parameters and the state.
    """

    def step(carry, sums, constants, x, y):
        net, scores, dtype, _ = values()
        params, state = constants
        found = scores.compute(net, params, state, x, y, Context(), dtype)[2]
        return carry, scores.add(sums, found)

    def settled(carry, sums, constants):
        return carry, values()[-1].everywhere(sums)

    return over_batches(step, settled, lambda *chunk: values()[-1].batch(*chunk))


def over_batches(step, settled, batch) -> Compiled:
    """`run(carry, sums, constants, arrays, order, offset, start, stop, size) -> (carry, sums)`.

    Batch `i` of `size` examples is `batch(arrays, order, offset, i, size)`. `sums` are those of the scores. Only the
    carry is donated. `settled` is called with carry, sums and constants after each step, and at the
    end, since the compiler else chooses where the results of a loop are.
    """

    @functools.partial(jax.jit, static_argnames="size", donate_argnums=0)
    def run(carry, sums, constants, arrays, order, offset, start, stop, size: int):
        def body(i, loop_carry):
            carry, sums = loop_carry
            x, y = batch(arrays, order, offset, i, size)
            return settled(*step(carry, sums, constants, x, y), constants)

        return settled(*lax.fori_loop(start, stop, body, (carry, sums)), constants)

    return Compiled(run)
