"""What `fit` computes is what a loop written by hand computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from compose import batch_norm, compose_seq, dropout, fc, relu, softmax
from compose.train import fit

NETS = {
    "plain": compose_seq(fc(8, relu), fc(3, softmax)),
    "batch norm": compose_seq(fc(8), batch_norm(), relu, fc(3, softmax)),
    "dropout": compose_seq(fc(8, relu), dropout(0.5), fc(3, softmax)),
}
OPTIMIZERS = {
    "rmsprop": optax.rmsprop(1e-2),
    "schedule": optax.adamw(optax.cosine_decay_schedule(1e-2, 12)),
    "clipped momentum": optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, momentum=0.9)),
}


def problem(rng, n=50):
    x = rng.normal(size=(n, 5))
    return x, rng.integers(0, 3, n)


def loop(net, x, y, optimizer, epochs, batch, seed):
    """The training loop as one writes it with optax, the last batch smaller."""
    logits = net.replace("fc_1", fc(3))
    params, state = net.init(seed, x)
    opt_state, step, losses = optimizer.init(params), 0, []

    @jax.jit
    def update(params, state, opt_state, x, y, rng):
        def loss(params):
            z, after = logits.apply(params, state, x, rng=rng, train=True)
            return optax.softmax_cross_entropy_with_integer_labels(z, y).mean(), after

        (value, state_after), grad = jax.value_and_grad(loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(grad, opt_state, params)
        return optax.apply_updates(params, updates), state_after, opt_state, value

    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(x))
        total = 0.0
        for at in range(0, len(x), batch):
            rows = order[at : at + batch]
            rng = jax.random.fold_in(jax.random.key(seed), step)
            params, state, opt_state, value = update(params, state, opt_state, x[rows], y[rows], rng)
            total, step = total + float(value) * len(rows), step + 1
        losses.append(total / len(x))
    return params, state, losses


@pytest.mark.parametrize("net, optimizer", list(zip(NETS.values(), OPTIMIZERS.values())), ids=OPTIMIZERS)
def test_training_is_the_loop_written_by_hand(net, optimizer, rng, x64):
    x, y = problem(rng)
    params, state, losses = loop(net, x, y, optimizer, epochs=3, batch=16, seed=7)
    trained = fit(net, x, y, loss="cross_entropy", optimizer=optimizer, epochs=3, batch_size=16, seed=7, verbose=False)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    jax.tree.map(close, trained.params, params)
    jax.tree.map(close, trained.state, state)
    close([epoch["loss"] for epoch in trained.history], losses)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def quick(net, x, y, **options):
    defaults = dict(loss="cross_entropy", optimizer="adam", epochs=4, batch_size=16, verbose=False)
    return fit(net, x, y, **{**defaults, **options})


@pytest.mark.parametrize("net", [NETS["batch norm"], NETS["dropout"]], ids=["batch norm", "dropout"])
def test_the_same_seed_gives_the_same_bits(net, rng):
    x, y = problem(rng)
    x = x.astype(np.float32)
    first, again, other = (quick(net, x, y, seed=seed) for seed in (3, 3, 4))
    assert bits((first.params, first.state)) == bits((again.params, again.state))
    assert bits(first.params) != bits(other.params)


@pytest.mark.slow
def test_streaming_from_the_host_gives_the_same_bits(rng):
    net = compose_seq(fc(8), batch_norm(), relu, dropout(0.5), fc(3, softmax))
    x, y = problem(rng, 70)
    x = x.astype(np.float32)
    held, streamed = (quick(net, x, y, memory=memory, validation=0.2, metrics="accuracy") for memory in (1 << 20, 900))
    assert bits((held.params, held.state)) == bits((streamed.params, streamed.state))
    timeless = [[{k: v for k, v in epoch.items() if k != "seconds"} for epoch in t.history] for t in (held, streamed)]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("net", [NETS["batch norm"], NETS["dropout"]], ids=["batch norm", "dropout"])
def test_going_on_is_training_in_one_go(net, rng):
    x, y = problem(rng)
    x = x.astype(np.float32)
    whole, half = quick(net, x, y, epochs=4), quick(net, x, y, epochs=2)
    before = bits((half.params, half.session.optimizer_state))
    on = half.fit(x, y, epochs=2)
    assert bits((whole.params, whole.state)) == bits((on.params, on.state))
    assert [e["epoch"] for e in on.history] == [1, 2, 3, 4]
    assert [e["loss"] for e in on.history] == [e["loss"] for e in whole.history]
    assert bits((half.params, half.session.optimizer_state)) == before, "the first result is immutable"


def test_another_optimizer_starts_its_state_anew(rng):
    x, y = problem(rng)
    x = x.astype(np.float32)
    first = quick(NETS["plain"], x, y)
    on = first.fit(x, y, optimizer="sgd", learning_rate=0.1)
    fresh = quick(NETS["plain"], x, y, optimizer="sgd", learning_rate=0.1, epochs=1, start=first)
    assert bits(on.params) == bits(fresh.params)
    assert bits(on.params) != bits(first.fit(x, y).params)


def test_it_starts_from_given_parameters_and_leaves_them_alone(rng):
    x, y = problem(rng)
    x = jnp.asarray(x, jnp.float32)
    net = NETS["plain"]
    params, state = net.init(5, x)
    before = bits((params, state, x))
    one = quick(net, x, y, start=(params, state), optimizer="sgd", learning_rate=1e-30, epochs=1)
    assert bits((params, state, x)) == before
    np.testing.assert_allclose(one.params["fc_1"]["kernel"], params["fc_1"]["kernel"], rtol=1e-6)


@pytest.mark.slow
def test_several_inputs_and_outputs(rng, x64):
    from compose import branch, concat, parallel

    net = compose_seq(parallel(fc(4, relu), fc(4, relu)), concat(), branch(fc(1, name="left"), fc(2, name="right")))
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    targets = (a.sum(1, keepdims=True), b)

    def both(outputs, targets):
        return sum(jnp.mean((o - t) ** 2) for o, t in zip(outputs, targets))

    trained = fit(net, (a, b), targets, loss=both, epochs=60, learning_rate=0.05, batch_size=16, verbose=False)
    assert trained.history[-1]["loss"] < 0.1 * trained.history[0]["loss"]
    left, right = trained.predict((a, b))
    expected = both((left, right), targets)
    assert trained.evaluate((a, b), targets) == pytest.approx({"loss": float(expected)})


def test_the_validation_fraction_is_the_end_of_the_data(rng, x64):
    x, y = problem(rng, 50)
    part = quick(NETS["plain"], x, y, validation=0.3, metrics="accuracy")
    pair = quick(NETS["plain"], x[:35], y[:35], validation=(x[35:], y[35:]), metrics="accuracy")
    assert bits(part.params) == bits(pair.params)
    assert part.history[-1]["val_loss"] == pair.history[-1]["val_loss"]
    measured = part.evaluate(x[35:], y[35:])
    assert measured["loss"] == pytest.approx(part.history[-1]["val_loss"], rel=1e-12)
    assert measured["accuracy"] == part.history[-1]["val_accuracy"]


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.lbfgs(0.1, linesearch=None),
        optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=1)),
        optax.MultiSteps(optax.adam(1e-2), 2),
        optax.inject_hyperparams(optax.adam)(learning_rate=optax.linear_schedule(1e-2, 0.0, 12)),
        optax.chain(optax.add_noise(0.01, 0.5, jax.random.key(1)), optax.sgd(0.05)),
        optax.contrib.schedule_free_adamw(1e-2),
    ],
    ids=["lbfgs", "plateau", "multi_steps", "inject", "noise", "schedule_free"],
)
def test_optimizers_that_want_more_than_a_gradient(optimizer, rng):
    x, y = problem(rng)
    trained = quick(NETS["plain"], x.astype(np.float32), y, optimizer=optimizer, batch_size=10)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
