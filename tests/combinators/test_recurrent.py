"""The loop over time: carries, padding, both ways, several deep, and what it says of wrong input."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compose import (
    bidirectional,
    branch,
    collect,
    compose_seq,
    dropout,
    embedding,
    fc,
    graph,
    gru,
    gru_cell,
    lstm,
    lstm_cell,
    masked,
    parse,
    recurrent,
    rnn,
    stacked,
    tanh,
)
from compose.core.errors import ConfigError, DtypeError, ShapeError
from tests.cases.subject import FAST_COMPILE

quick = partial(jax.jit, compiler_options=FAST_COMPILE)


def run(net, *inputs, **options):
    params, state = net.init(1, *inputs)
    return quick(net.apply)(params, state, *inputs, **options)[0]


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(3, 5, 4)), jnp.float32)


def test_a_first_carry_continues_a_sequence(x):
    """What serving and truncated backpropagation need: two halves are the whole."""
    net = lstm(6, return_carry=True)
    params, _ = net.init(0, x)
    whole, end = net.apply(params, {}, x)[0]
    first, carry = net.apply(params, {}, x[:, :2])[0]
    second, after = net.apply(params, {}, x[:, 2:], carry)[0]
    np.testing.assert_allclose(jnp.concatenate((first, second), 1), whole, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(after[1], end[1], rtol=1e-6, atol=1e-6)


def test_steps_of_a_cell_are_the_loop(x):
    params, _ = gru(6).init(0, x)
    ys = gru(6).apply(params, {}, x)[0]
    carry = jnp.zeros((3, 6))
    for t in range(5):
        carry, y = gru_cell(6).apply(params, {}, carry, x[:, t])[0]
        np.testing.assert_allclose(y, ys[:, t], rtol=1e-5, atol=1e-6)


def test_the_last_output_is_that_of_the_last_real_step(x):
    params, _ = lstm(6).init(0, x)
    lengths = jnp.array([2, 5, 0])
    ys, end = lstm(6, return_carry=True).apply(params, {}, x, lengths)[0]
    last = lstm(6, output="last").apply(params, {}, x, lengths)[0]
    np.testing.assert_array_equal(last[0], ys[0, 1])
    np.testing.assert_array_equal(last, end[0])
    assert not np.any(last[2]) and not np.any(ys[0, 2:])


def test_padding_changes_nothing(x, rng):
    """Neither the outputs of real steps nor the gradient see what stands at padded ones."""
    net, lengths = bidirectional(gru(6)), jnp.array([2, 5, 1])
    params, _ = net.init(0, x)
    real = jnp.arange(5) < lengths[:, None]
    other = jnp.where(real[..., None], x, 100.0)
    loss = lambda p, x: jnp.sum(jnp.sin(net.apply(p, {}, x, lengths)[0]))
    run = quick(lambda x: net.apply(params, {}, x, lengths)[0])
    np.testing.assert_array_equal(run(x), run(other))
    slope = quick(jax.grad(loss, (0, 1)))
    (by_params, by_x), (same, _) = slope(params, x), slope(params, other)
    for a, b in zip(jax.tree.leaves(by_params), jax.tree.leaves(same)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert not np.any(by_x[~np.asarray(real)])


@pytest.mark.slow
def test_the_mask_of_apply_reaches_every_layer(x):
    net = compose_seq(lstm(6), lstm(3, output="last"))
    params, _ = net.init(0, x)
    lengths = np.array([2, 5, 1])
    y = net.apply(params, {}, x, mask=jnp.arange(5) < lengths[:, None])[0]
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(y[i], net.apply(params, {}, x[i : i + 1, :n])[0][0], rtol=1e-5, atol=1e-6)


def test_masked_vectors_are_padding(x):
    net = lstm(6, output="last")
    params, _ = net.init(0, x)
    padded = x.at[:, 3:].set(-1.0)
    got = masked(net, value=-1).apply(params, {}, padded)[0]
    np.testing.assert_allclose(got, net.apply(params, {}, x[:, :3])[0], rtol=1e-6, atol=1e-6)


def test_torchs_last_column_is_not_the_backward_nets_final_state(x64, rng):
    """`out[:, -1]` of a bidirectional torch net has seen one step backwards; `output="last"` has seen all."""
    module = nn.GRU(4, 6, batch_first=True, bidirectional=True, dtype=torch.float64)
    net = bidirectional(gru(6, output="last"))
    x = rng.normal(size=(3, 5, 4))
    weights = dict(module.named_parameters())
    array = lambda name: jnp.asarray(weights[name].detach().numpy())
    params = {
        side: {
            "kernel": array(f"weight_ih_l0{end}").T,
            "recurrent_kernel": array(f"weight_hh_l0{end}").T,
            "bias": array(f"bias_ih_l0{end}"),
            "recurrent_bias": array(f"bias_hh_l0{end}"),
        }
        for side, end in (("forward", ""), ("backward", "_reverse"))
    }
    y = net.apply(params, {}, x)[0]
    out, h = (t.detach().numpy() for t in module(torch.tensor(x)))
    np.testing.assert_allclose(y, np.concatenate(h, -1), atol=1e-12)
    np.testing.assert_allclose(y[:, 6:], out[:, 0, 6:], atol=1e-12)
    assert np.abs(y[:, 6:] - out[:, -1, 6:]).max() > 0.01


def test_carries_of_both_ways_and_of_every_layer(x):
    net = stacked(2, bidirectional(lstm(6, return_carry=True)))
    y, carries = run(net, x)
    assert y.shape == (3, 5, 12)
    assert jax.tree.map(jnp.shape, carries) == ((((3, 6),) * 2,) * 2,) * 2
    params, _ = net.init(1, x)
    np.testing.assert_allclose(net.apply(params, {}, x, jax.tree.map(jnp.zeros_like, carries))[0][0], y, atol=1e-6)
    assert np.abs(net.apply(params, {}, x, carries)[0][0] - y).max() > 1e-3


def test_another_layer_backwards(x):
    net = bidirectional(lstm(6), collect, backward=gru(3, reverse=True))
    assert parse(str(net)) == net
    assert jax.tree.map(jnp.shape, run(net, x)) == ((3, 5, 6), (3, 5, 3))
    assert str(net.replace("backward", gru(2, reverse=True))["backward"]) == "gru(2, reverse=True)"


def test_any_layer_is_a_cell_once_it_has_a_first_carry(x):
    """A recurrence that has no word, with dropout drawn anew at each step."""
    step = graph(lambda h, x: (new := tanh(fc(6)(h) + fc(6)(x)), dropout(0.5)(new)))
    net = recurrent(step, output="sequence", return_carry=True)
    assert parse(str(net)) == net
    params, _ = net.init(0, x, jnp.zeros((3, 6)))
    ys, end = net.apply(params, {}, x, jnp.zeros((3, 6)))[0]
    h = jnp.zeros((3, 6))
    for t in range(5):
        a, b = params["fc_0"], params["fc_1"]
        h = jnp.tanh(h @ a["kernel"] + a["bias"] + x[:, t] @ b["kernel"] + b["bias"])
        np.testing.assert_allclose(ys[:, t], h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(end, h, rtol=1e-5, atol=1e-6)
    noisy = net.apply(params, {}, x, jnp.zeros((3, 6)), rng=0, train=True)[0][0]
    dropped = np.asarray(noisy == 0)
    assert 0.3 < dropped.mean() < 0.7
    assert not np.array_equal(dropped[:, 0], dropped[:, 1])


def test_dropout_is_the_same_at_every_step():
    """With an identity kernel and no recurrence the output shows which inputs were dropped."""
    x = jnp.ones((4, 7, 50))
    net = rnn(50, "identity", dropout=0.4)
    params, _ = net.init(0, x)
    params = {"kernel": jnp.eye(50), "recurrent_kernel": jnp.zeros((50, 50)), "bias": jnp.zeros(50)}
    y = net.apply(params, {}, x, rng=0, train=True)[0]
    assert np.array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert 0.3 < np.mean(y == 0) < 0.5
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.6], rtol=1e-6)
    np.testing.assert_array_equal(net.apply(params, {}, x)[0], x)


def test_recurrent_dropout_drops_what_is_fed_back():
    x = jnp.ones((4, 3, 50))
    net = rnn(50, "identity", recurrent_dropout=0.4)
    params = {"kernel": jnp.eye(50), "recurrent_kernel": jnp.eye(50), "bias": jnp.zeros(50)}
    y = net.apply(params, {}, x, rng=0, train=True)[0]
    np.testing.assert_array_equal(y[:, 0], x[:, 0])
    kept = np.asarray(y[:, 1] > 1)
    assert 0.5 < kept.mean() < 0.7
    np.testing.assert_allclose(y[:, 2], np.where(kept, 1 + (1 + 1 / 0.6) / 0.6, 1), rtol=1e-6)


def test_stacked_drops_between_layers_and_not_after_the_last(x):
    one, two = stacked(1, lstm(6), dropout=0.9), stacked(2, lstm(6), dropout=0.9)
    for net, same in ((one, True), (two, False)):
        params, _ = net.init(0, x)
        y = net.apply(params, {}, x, rng=0, train=True)[0]
        assert np.array_equal(y, net.apply(params, {}, x)[0]) is same
        assert np.mean(y != 0) > 0.5


def test_two_biases_learn_at_twice_the_speed_of_one(x):
    """torch's two biases each get the full gradient; merging them halves the step."""
    net = lstm(6, recurrent_bias=True, bias_init="zeros")
    params, _ = net.init(0, x)
    merged, _ = lstm(6, bias_init="zeros").init(0, x)
    slope = lambda net, p: quick(jax.grad(lambda p: jnp.sum(jnp.sin(net.apply(p, {}, x)[0]))))(p)
    grads, alone = slope(net, params), slope(lstm(6), {k: params[k] for k in merged})
    for key in ("bias", "recurrent_bias"):
        np.testing.assert_allclose(grads[key], alone["bias"], rtol=1e-5, atol=1e-6)
    assert np.abs(alone["bias"]).max() > 1e-3


def test_the_forget_gate_starts_open(x):
    bias = lstm(6).init(0, x)[0]["bias"]
    np.testing.assert_array_equal(bias.reshape(4, 6), np.array([[0.0], [1], [0], [0]]).repeat(6, 1))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 6), min_size=1, max_size=4), st.booleans())
def test_a_batch_with_lengths_is_each_sequence_alone(size, lengths, reverse):
    rng = np.random.default_rng(size)
    x = jnp.asarray(rng.normal(size=(len(lengths), 6, 2)), jnp.float32)
    net = gru(size, reverse=reverse, output="last")
    params, _ = net.init(0, x)
    got = net.apply(params, {}, x, jnp.array(lengths))[0]
    for i, n in enumerate(lengths):
        alone = net.apply(params, {}, x[i : i + 1, :n])[0][0] if n else np.zeros(size)
        np.testing.assert_allclose(got[i], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "inputs", "error", "words"),
    [
        (lstm(4), ((3, 5),), ShapeError, "a sequence (batch, time, ..., features), got shape (3, 5)"),
        (lstm(4), ((3, 5, 2, 2),), ShapeError, "(batch, features) at each step"),
        (gru(4), (jnp.ones((3, 5, 2), int),), DtypeError, "for integer ids, put embedding(...) first"),
        (lstm(4), ((3, 5, 2), jnp.array([1, 2])), ShapeError, "one length for each of the 3 sequences"),
        (lstm(4), ((3, 5, 2), jnp.ones((3, 4), bool)), ShapeError, "a mask of shape (batch, time) = (3, 5)"),
        (lstm(4), ((3, 5, 2), jnp.ones((3, 5), int)), ShapeError, "a mask has to be boolean"),
        (lstm(4), ((3, 5, 2), (3, 4)), ShapeError, "an initial carry ((3, 4), (3, 4))"),
        (stacked(2, rnn(4)), ((3, 5, 2), (3, 4)), ShapeError, "2 initial carries, one per layer"),
        (bidirectional(rnn(4)), ((3, 5, 2), (3, 4)), ShapeError, "a pair of initial carries"),
        (recurrent(branch(fc(2), fc(2))), ((3, 5, 2),), ConfigError, "pass it as an input, (x, carry)"),
        (lstm_cell(4), ((3, 5, 2),), ShapeError, "for a whole sequence, use recurrent(cell)"),
        (masked(embedding(3, 2)), (jnp.array([1]),), ShapeError, "ids (batch, time) or vectors"),
    ],
)
def test_wrong_inputs_say_what_is_wanted(net, inputs, error, words):
    given = (jnp.ones(i) if isinstance(i, tuple) else i for i in inputs)
    with pytest.raises(error) as caught:
        net.init(0, *given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: lstm(0), "a size of at least 1"),
        (lambda: gru(3, dropout=1.0), "rates from 0 to below 1"),
        (lambda: lstm(3, projection=0), "a projection to at least 1 feature"),
        (lambda: lstm(3, output="final"), "'sequence' or 'last'"),
        (lambda: bidirectional(fc(3)), "a recurrent layer, such as lstm(128)"),
        (lambda: bidirectional(lstm(3, reverse=True)), "a forward layer"),
        (lambda: stacked(0, lstm(3)), "at least one layer"),
    ],
)
def test_wrong_arguments_say_what_is_wanted(build, words):
    with pytest.raises(ConfigError) as caught:
        build()
    assert words in str(caught.value)
