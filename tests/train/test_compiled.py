"""What is compiled once is not compiled again: in later epochs, and in later fits with everything made anew."""

from __future__ import annotations

import contextlib
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from compose import batch_norm, compose_seq, dropout, fc, relu, softmax
from compose.train import fit
from compose.train.compiled import Compiled
from tests.train.compilations import compilations

X = np.random.default_rng(0).normal(size=(53, 5)).astype(np.float32)
Y = np.arange(53) % 3


def network(last=None):
    return compose_seq(fc(8), batch_norm(), lambda x: x / 2, relu, dropout(0.5), last or fc(3, softmax))


def smoothed(amount):
    return lambda logits, labels: optax.softmax_cross_entropy(
        logits, optax.smooth_labels(jax.nn.one_hot(labels, 3), amount)
    )


def run(epochs=1, rate=1e-2, amount=0.1, x=X, y=Y, loss=None, last=None):
    """A fit of which everything is made anew, with a ragged last batch, of the validation too."""
    return fit(
        network(last), x, y, loss=loss or smoothed(amount), optimizer=optax.chain(optax.clip(1.0), optax.adamw(rate)),
        metrics=("accuracy", lambda p, t: p.argmax(-1) == t), validation=0.4, epochs=epochs, batch_size=8,
        logits=None if loss else True, verbose=False,
    )  # fmt: skip


def test_nothing_is_compiled_after_the_first_epoch():
    with compilations() as compiled:
        first = run(rate=3e-2)
    assert len(compiled) > 0
    with compilations() as compiled:
        first.fit(X, Y, epochs=3, validation=0.4)
    assert compiled == []


def test_an_epoch_of_many_calls_compiles_as_much_as_one_of_a_single_call():
    counts = []
    for steps in (2, 3, 60):  # the first compiles what any data needs
        x = np.zeros((8 * steps, 5), np.float32)
        with compilations() as compiled:
            fit(compose_seq(fc(3), batch_norm()), x, x[:, :3], loss="mse", epochs=1, batch_size=8, verbose=False)
        counts.append(len(compiled))
    assert counts[1] == counts[2] > 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"loss": "cross_entropy", "last": fc(3)}], ids=["own loss", "logits"])
def test_a_k_fold_compiles_once(options):
    run(**options)
    parts = [np.roll(np.arange(53), 7 * k) for k in range(6)]
    with compilations() as compiled:
        for part in parts:
            run(x=X[part], y=Y[part], **options)
    assert compiled == []


@pytest.mark.slow
def test_another_rate_or_loss_compiles_anew():
    run()
    for changed in ({"rate": 2e-2}, {"amount": 0.2}):
        with compilations() as compiled:
            run(**changed)
        assert len(compiled) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "schedule", [lambda: optax.linear_schedule(1e-2, 0.0, 99), lambda: optax.cosine_decay_schedule(1e-2, 99)],
    ids=["linear", "cosine"],
)  # fmt: skip
def test_going_on_with_the_optimizer_made_anew_keeps_its_state(schedule):
    optimizer = lambda: optax.adam(schedule())
    options = dict(loss="cross_entropy", batch_size=8, verbose=False)
    whole = fit(network(), X, Y, optimizer=optimizer(), epochs=2, **options)
    half = fit(network(), X, Y, optimizer=optimizer(), epochs=1, **options)
    on = half.fit(X, Y, optimizer=optimizer())
    assert [e["loss"] for e in on.history] == [e["loss"] for e in whole.history]
    again = half.fit(X, Y)
    assert [e["loss"] for e in again.history] == [e["loss"] for e in whole.history]


@pytest.mark.parametrize("static", [{}, {"size": 3}])
def test_the_call_finds_what_was_compiled_before_it(static):
    ran = []

    @contextlib.contextmanager
    def compiling():
        ran.append("begin")
        yield
        ran.append("end")

    steps = Compiled(jax.jit(lambda a, size=1: jnp.sin(a) * size, static_argnames="size"))
    a = jnp.arange(4.0)
    with compilations() as compiled:
        first = steps(a, compiling=compiling, **static)
    assert len(compiled) == 1 and ran == ["begin", "end"]
    with compilations() as compiled:
        again = steps(a, compiling=compiling, **static)
    assert compiled == [] and ran == ["begin", "end"]
    np.testing.assert_array_equal(first, again)
    steps(jnp.arange(5.0), compiling=compiling, **static)
    assert len(ran) == 4


def test_compiling_is_over_when_the_call_runs():
    at = []

    @contextlib.contextmanager
    def compiling():
        yield
        at.append(time.perf_counter())

    def slow(a):
        jax.debug.callback(lambda: at.append(time.perf_counter()))
        return a

    jax.block_until_ready(Compiled(jax.jit(slow))(jnp.ones(3), compiling=compiling))
    jax.effects_barrier()
    assert at == sorted(at) and len(at) == 2
