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
from compose.train.batches import Feed
from compose.train.examples import examples
from compose.train.losses import LOSSES
from compose.train.optimizers import split
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
            (params, averages, step), total = both
            rows = lax.dynamic_slice(order, (offset + i * BATCH,), (BATCH,))
            x, y = (a.at[rows].get(mode="promise_in_bounds") for a in arrays)
            value, grad = jax.value_and_grad(by_hand)(params, x, y)
            updates, averages = OPTIMIZER.update(grad, averages, params)
            return (optax.apply_updates(params, updates), averages, step + 1), total + BATCH * value[None]

        return lax.fori_loop(start, stop, body, (carry, total))

    training, fixed = split(net, params)
    averages, zero, key = OPTIMIZER.init(params), jnp.int32(0), jax.random.key(0)
    total, rest = jnp.zeros(1), ((x, y), order, 0, 0, 5)
    ours = training_steps(net, LOSSES[loss], (), OPTIMIZER).lower(
        Carry(training, averages, state, zero), total, (fixed, key), *rest, size=BATCH
    )
    theirs = jax.jit(hand, donate_argnums=0).lower((params, averages, zero), total, key, *rest)
    a, b = (lowered.compile().cost_analysis() for lowered in (ours, theirs))
    assert (a["flops"], a["transcendentals"], a["bytes accessed"]) == (
        b["flops"],
        b["transcendentals"],
        b["bytes accessed"],
    )


@pytest.mark.parametrize("memory", [1 << 20, 400, 1])
def test_what_the_feed_puts_on_the_device(memory, rng):
    x = rng.normal(size=(53, 3)).astype(np.float32)
    data = examples(x, np.arange(53, dtype=np.int32))
    feed, order, seen = Feed(data, BATCH, memory), rng.permutation(53), []
    for piece in feed.pieces(order):
        held = sum(a.nbytes for a in jax.tree.leaves(piece.arrays))
        assert held <= max(memory // 2, BATCH * 16) or memory > data.nbytes
        for i in range(piece.steps):
            rows = piece.order[piece.offset + i * piece.size :][: piece.size]
            np.testing.assert_array_equal(piece.arrays[0][rows], x[piece.arrays[1][rows]])
            seen += [np.asarray(piece.arrays[1][rows])]
    assert [len(batch) for batch in seen] == [10, 10, 10, 10, 10, 3]
    np.testing.assert_array_equal(np.concatenate(seen), order)


def test_streamed_pieces_have_one_shape(rng):
    data = examples(rng.normal(size=(70, 3)).astype(np.float32), np.arange(70))
    pieces = list(Feed(data, BATCH, 1000).pieces(np.arange(70)))
    assert [piece.steps for piece in pieces] == [2, 2, 2, 1]
    assert {piece.arrays[0].shape for piece in pieces} == {(20, 3)}


def test_arrays_on_the_device_are_used_where_they_are():
    x = jnp.ones((20, 3))
    feed = Feed(examples(x, x), BATCH, memory=1)
    assert feed.resident is not None
    assert feed.resident[0] is x


def test_half_precision_is_summed_in_single():
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    y = np.arange(40) % 3
    net = compose_seq(fc(20, relu), dropout(0.1), fc(3, softmax))
    options = dict(loss="cross_entropy", epochs=2, batch_size=BATCH, verbose=False)
    half, single = (fit(n, x, y, **options).history[-1]["loss"] for n in (cast(net, bfloat16), net))
    assert half == pytest.approx(single, rel=2e-2)
    assert float(jnp.bfloat16(half)) != half
