"""The compiled steps: nothing in them that a hand-written loop has not, and what moves to the device."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from compose import bfloat16, cast, compose_seq, dropout, fc, relu, sigmoid, softmax
from compose.train import fit
from compose.train.distribution import ONE_DEVICE
from compose.train.examples import examples
from compose.train.optimizers import split
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps

OPTIMIZER = optax.rmsprop(1e-3)
BATCH = 10


def mlp_loss(p, x, y):
    x = jax.nn.relu(x @ p["fc_0"]["kernel"] + p["fc_0"]["bias"])
    z = x @ p["fc_1"]["kernel"] + p["fc_1"]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()


def autoencoder_loss(p, x, y):
    x = jax.nn.relu(x @ p["fc_0"]["kernel"] + p["fc_0"]["bias"])
    x = jax.nn.sigmoid(x @ p["fc_1"]["kernel"] + p["fc_1"]["bias"])
    return jnp.mean(jnp.square(x - y))


CASES = {
    "classifier": (compose_seq(fc(20, relu), fc(3, softmax)), "cross_entropy", mlp_loss),
    "autoencoder": (compose_seq(fc(4, relu), fc(6, sigmoid)), "mse", autoencoder_loss),
}


@pytest.mark.parametrize("net, loss, by_hand", CASES.values(), ids=CASES)
def test_the_loop_has_the_operations_of_one_written_by_hand(net, loss, by_hand, rng):
    x = jnp.asarray(rng.normal(size=(50, 6)), jnp.float32)
    y = jnp.arange(50) % 3 if loss == "cross_entropy" else x
    params, state = net.init(0, x)
    order = jnp.arange(50, dtype=jnp.int32)

    def hand(carry, total, key, arrays, order, offset, start, stop):
        def body(i, both):
            (params, opt_state, step), total = both
            rows = lax.dynamic_slice(order, (offset + i * BATCH,), (BATCH,))
            x, y = (a.at[rows].get(mode="promise_in_bounds") for a in arrays)
            value, grad = jax.value_and_grad(by_hand)(params, x, y)
            updates, opt_state = OPTIMIZER.update(grad, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state, step + 1), total + BATCH * value[None]

        return lax.fori_loop(start, stop, body, (carry, total))

    training, fixed = split(net, params)
    opt_state, zero, key = OPTIMIZER.init(params), jnp.int32(0), jax.random.key(0)
    total, rest = jnp.zeros(1), ((x, y), order, 0, 0, 5)
    scores = Scoring(net, examples(x, y), loss).scores
    ours = training_steps(net, scores, OPTIMIZER, None, None, ONE_DEVICE).lower(
        Carry(training, opt_state, state, zero), scores.start(50), (fixed, key), *rest, size=BATCH
    )
    theirs = jax.jit(hand, donate_argnums=0).lower((params, opt_state, zero), total, key, *rest)
    a, b = (lowered.compile().cost_analysis() for lowered in (ours, theirs))
    assert (a["flops"], a["transcendentals"], a["bytes accessed"]) == (
        b["flops"],
        b["transcendentals"],
        b["bytes accessed"],
    )


def test_half_precision_is_summed_in_single():
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    y = np.arange(40) % 3
    net = compose_seq(fc(20, relu), dropout(0.1), fc(3, softmax))
    options = dict(loss="cross_entropy", epochs=2, batch_size=BATCH, verbose=False)
    half, single = (fit(n, x, y, **options).history[-1]["loss"] for n in (cast(net, bfloat16), net))
    assert half == pytest.approx(single, rel=2e-2)
    assert float(jnp.bfloat16(half)) != half
