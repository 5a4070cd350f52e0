"""Options of `fit` that change a step: penalties, clipping, accumulation, averages, rates and freezing by path."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import compose
from compose import batch_norm, compose_seq, dropout, fc, frozen, relu, schedules
from compose.core.errors import ConfigError
from compose.train import fit

NET = compose_seq(fc(8, relu, name="body"), fc(3, name="head"))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def train(net=NET, **options):
    defaults = dict(loss="cross_entropy", optimizer="sgd", learning_rate=0.1, batch_size=20, epochs=3, verbose=False)
    return fit(net, floats(X), Y, **{**defaults, **options})


def floats(x):
    """In float64 where that is on."""
    return np.asarray(x, jnp.result_type(float))


def by_hand(update, loss=None, steps=3, each=lambda params: params):
    """Gradient steps on all examples, as one writes them with optax. Returns what `each` gives after each step."""
    params, _ = NET.init(0, floats(X))
    plain = lambda p: optax.softmax_cross_entropy_with_integer_labels(NET.apply(p, {}, floats(X))[0], Y).mean()
    objective = plain if loss is None else lambda p: plain(p) + loss(p)
    opt_state, seen = update.init(params), []
    for _ in range(steps):
        order = jax.grad(objective)(params)
        updates, opt_state = update.update(order, opt_state, params)
        params = optax.apply_updates(params, updates)
        seen.append(each(params))
    return params, seen


def close(a, b, rtol=1e-9, atol=1e-12):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), a, b)


def test_penalties(x64):
    def loss(p):
        kernels = jnp.sum(p["body"]["kernel"] ** 2) + jnp.sum(p["head"]["kernel"] ** 2)
        return 0.01 * kernels + 0.02 * jnp.abs(p["head"]["bias"]).sum()

    trained = train(l2=0.01, l1={"head/bias": 0.02})
    close(trained.params, by_hand(optax.sgd(0.1), loss)[0])
    assert trained.history[0]["loss"] == pytest.approx(train().history[0]["loss"], rel=1e-12), "scores are without"
    close(train(l2={"body/**": 0.01, "**": 0.0}).params,
          by_hand(optax.sgd(0.1), lambda p: 0.01 * sum(jnp.sum(w**2) for w in p["body"].values()))[0])  # fmt: skip


@pytest.mark.slow
def test_clipping_and_rates_by_path(x64):
    close(train(clip=0.1).params, by_hand(optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.1)))[0])
    rates = {"head/**": optax.linear_schedule(0.1, 0.0, 3), "**": 1e-3}
    labels = {"body": {"kernel": "b", "bias": "b"}, "head": {"kernel": "h", "bias": "h"}}
    each = optax.partition({"h": optax.adam(rates["head/**"]), "b": optax.adam(1e-3)}, labels)
    close(train(optimizer="adam", learning_rate=rates).params, by_hand(each)[0])


def test_accumulation_is_the_larger_batch(x64):
    close(train(accumulate=4, batch_size=5, epochs=3).params, train().params)


def test_averages(x64):
    update = optax.sgd(0.1)
    params, steps = by_hand(update)
    average = NET.init(0, floats(X))[0]
    for after in steps:
        average = jax.tree.map(lambda a, p: 0.9 * a + 0.1 * p, average, after)
    trained = train(ema=0.9, validation=(floats(X), Y))
    close(trained.params, average)
    close(trained.session.raw, params)
    assert trained.history[-1]["val_loss"] == pytest.approx(trained.evaluate(floats(X), Y)["loss"], rel=1e-9)
    halves = train(ema=0.9, epochs=1).fit(floats(X), Y, epochs=2)
    close(halves.params, average)
    close(train(ema=0.9, accumulate=4, batch_size=5).params, average)
    assert halves.fit(floats(X), Y, ema=None).session.raw is None


def test_without_options_the_step_is_the_same_program():
    from tests.train.compilations import compilations

    train()
    with compilations() as compiled:
        train(l1=None, l2=None, ema=None, clip=None, accumulate=1, freeze=(), callbacks=(), checkpoint=None)
    assert not compiled


def test_freezing_by_path():
    start = NET.init(0, X)[0]
    trained = train(freeze="body/**", optimizer="adamw")
    np.testing.assert_array_equal(trained.params["body"]["kernel"], start["body"]["kernel"])
    assert (np.asarray(trained.params["head"]["kernel"]) != np.asarray(start["head"]["kernel"])).any()
    whole = compose_seq(frozen(fc(8, relu, name="body")), fc(3, name="head"))
    jax.tree.map(np.testing.assert_array_equal, trained.params, train(whole, optimizer="adamw").params)
    assert trained.net == NET
    bias = train(freeze=["**/bias"]).params
    assert not np.asarray(bias["head"]["bias"]).any()


def test_a_frozen_body_rests():
    body = compose_seq(fc(8), batch_norm(), relu, dropout(0.5))
    net, wrapped = (compose_seq(b, fc(3)) for b in (body, frozen(body)))
    held, by_wrapper = train(net, freeze="seq_0/**"), train(wrapped)
    jax.tree.map(np.testing.assert_array_equal, held.params, by_wrapper.params)
    jax.tree.map(np.testing.assert_array_equal, held.state, by_wrapper.state)
    jax.tree.map(np.testing.assert_array_equal, held.state, net.init(0, X)[1])
    assert np.asarray(train(net).state["seq_0"]["batch_norm_0"]["mean"]).any()


def test_schedules_fill_in_the_steps():
    steps = 12
    warm = schedules.cosine(0.1, warmup=0.25, end=0.01).over(steps)
    assert [round(float(warm(i)), 4) for i in (0, 3, 12)] == [0.0, 0.1, 0.01]
    one = schedules.one_cycle(0.1).over(100)
    assert float(max(one(i) for i in range(100))) == pytest.approx(0.1)
    for make in (schedules.linear, schedules.constant, schedules.exponential):
        assert float(make(0.1, warmup=2).over(10)(2)) == pytest.approx(0.1)
    given = train(learning_rate=schedules.linear(0.1), batch_size=5)
    plain = train(learning_rate=optax.linear_schedule(0.1, 0.0, steps), batch_size=5)
    jax.tree.map(np.testing.assert_array_equal, given.params, plain.params)
    again = given.fit(X, Y, learning_rate=schedules.linear(0.1), epochs=3)
    assert (np.asarray(again.params["head"]["kernel"]) != np.asarray(given.params["head"]["kernel"])).any()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(learning_rate={"head/**": 0.1}), "(?s)for every parameter that trains, got none for body/bias"),
        (dict(learning_rate={"haed/**": 0.1, "**": 0.1}), "patterns in learning_rate"),
        (dict(l2={"nothing": 1.0}), "patterns in l2"), (dict(l2=-1), "l2 to be a number of at least 0"),
        (dict(freeze="nothing/**"), "patterns in freeze"), (dict(freeze=[3]), "freeze to be patterns"),
        (dict(ema=1.0), "between 0 and 1"), (dict(clip=0), "above 0"), (dict(accumulate=0), "accumulate"),
        (dict(learning_rate=schedules.cosine(0.1, warmup=50)), "a warm-up shorter than the 3 steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(options, message):
    with pytest.raises(ConfigError, match=message):
        train(**options)


def test_the_optimizer_in_the_file(tmp_path):
    path = tmp_path / "m.safetensors"
    options = dict(optimizer="adam", learning_rate=0.01)
    half = train(**options, epochs=2)
    half.save(path, optimizer=True)
    on = compose.load(path).fit(X, Y, loss="cross_entropy", **options, batch_size=20, epochs=1, verbose=False)
    jax.tree.map(np.testing.assert_array_equal, on.params, half.fit(X, Y, epochs=1).params)
    jax.tree.map(np.testing.assert_array_equal, on.params, train(**options).params)
    with pytest.raises(ConfigError, match="the optimizer whose state is in the file"):
        compose.load(path).fit(X, Y, loss="cross_entropy", optimizer="lion")
    half.save(path)
    with pytest.warns(UserWarning, match="the optimizer starts anew"):
        compose.load(path).fit(X, Y, loss="cross_entropy", verbose=False)
