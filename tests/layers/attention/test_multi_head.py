"""Attention: masks, empty rows, dropout, decoding step by step, and wrong input."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import (
    additive_attention,
    cosine_window_bias,
    decoder_block,
    decoding,
    encoder_block,
    learned_positions,
    multi_head_attention,
    relative_bias,
    rotary,
    scaled_dot_product_attention,
    sinusoidal_positions,
    window_attention,
    window_bias,
)
from compose.core.errors import ConfigError, DtypeError, ShapeError
from tests.cases.subject import FAST_COMPILE

quick = partial(jax.jit, compiler_options=FAST_COMPILE)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(2, 6, 8)), jnp.float32)


def test_a_query_that_may_attend_to_nothing_gets_zeros(x):
    """As in torch; a softmax over equal scores would give it the mean of all values."""
    net = multi_head_attention(2, out_bias=False, return_weights=True)
    params, _ = net.init(0, x)
    mask = jnp.ones((2, 6, 6), bool).at[0, 3].set(False)
    run = lambda p, x: net.apply(p, {}, x, mask)[0]
    y, weights = quick(run)(params, x)
    assert not np.any(y[0, 3]) and not np.any(weights[0, :, 3])
    np.testing.assert_allclose(weights.sum(-1)[1], 1, rtol=1e-6)
    slopes = quick(jax.grad(lambda p, x: jnp.sum(jnp.sin(run(p, x)[0])), (0, 1)))(params, x)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(slopes))


def test_what_is_masked_changes_nothing(x):
    net = multi_head_attention(2)
    params, _ = net.init(0, x)
    lengths = jnp.array([4, 6])
    other = x.at[0, 4:].set(1e3)
    by_lengths = net.apply(params, {}, x, x, lengths)[0]
    np.testing.assert_array_equal(by_lengths, net.apply(params, {}, x, other, lengths)[0])
    by_apply = net.apply(params, {}, x, mask=jnp.arange(6) < lengths[:, None])[0]
    np.testing.assert_array_equal(by_lengths, by_apply)


@pytest.mark.parametrize("net", [multi_head_attention(2, causal=True), encoder_block(2, causal=True)], ids=str)
def test_no_later_key_reaches_a_causal_query(net, x):
    params, _ = net.init(0, x)
    moved = quick(jax.jacobian(lambda x: net.apply(params, {}, x[None])[0][0] @ jnp.arange(8.0)))(x[0])
    np.testing.assert_array_equal(np.any(np.asarray(moved) != 0, -1), np.tril(np.ones((6, 6), bool)))


def test_dropout_drops_weights_and_keeps_their_mean(x):
    net = multi_head_attention(1, dropout=0.5, bias=False, out_bias=False)
    many = jnp.broadcast_to(x[:1, :1], (1, 400, 8))
    params, _ = net.init(0, many)
    exact = net.apply(params, {}, many)[0]
    noisy = net.apply(params, {}, many, rng=0, train=True)[0]
    assert np.std(noisy - exact) > 1e-4
    np.testing.assert_allclose(noisy.mean(1), exact.mean(1), rtol=0.02)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.sampled_from([(4, 4), (4, 2), (4, 1), (6, 3)]), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_grouped_heads_are_repeated_heads(heads, queries, keys, causal):
    """Grouped attention is full attention whose keys and values are repeated for each group."""
    many, groups = heads
    rng = np.random.default_rng(queries * 7 + keys)
    q = jnp.asarray(rng.normal(size=(2, queries, many, 3)), jnp.float32)
    k, v = (jnp.asarray(rng.normal(size=(2, keys, groups, 3)), jnp.float32) for _ in range(2))
    repeated = (jnp.repeat(a, many // groups, axis=2) for a in (k, v))
    run = scaled_dot_product_attention(causal=causal)
    np.testing.assert_allclose(quick(run)(q, k, v), quick(run)(q, *repeated), rtol=1e-5, atol=1e-6)


def test_rotary_scores_depend_on_the_distance_alone(x):
    q = jnp.asarray(np.random.default_rng(1).normal(size=(1, 1, 1, 8)), jnp.float32)
    turned = rotary()(jnp.broadcast_to(q, (1, 9, 1, 8)))[0, :, 0]
    scores = turned @ turned.T
    for far in range(9):
        np.testing.assert_allclose(np.diagonal(scores, far), scores[0, far], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("net", "inputs", "error", "words"),
    [
        (multi_head_attention(3), ((2, 6, 8),), ShapeError, "features divisible by 3 heads, got 8 features"),
        (multi_head_attention(2), ((2, 8),), ShapeError, "(batch, time, features)"),
        (multi_head_attention(2), (jnp.ones((2, 6, 8), int),), DtypeError, "for integer ids, put embedding(...) first"),
        (multi_head_attention(2), ((2, 6, 8), (3, 6, 8)), ShapeError, "equal batch sizes, and as many values as keys"),
        (multi_head_attention(2), ((2, 6, 8), (2, 5, 8), (2, 4, 8)), ShapeError, "as many values as keys"),
        (multi_head_attention(2), ((2, 6, 8), jnp.ones((2, 5), bool)), ShapeError, "a mask (batch, keys) = (2, 6)"),
        (multi_head_attention(2), ((2, 6, 8), jnp.ones((2, 6, 6), int)), ShapeError, "one length for each of the 2"),
        (decoding(multi_head_attention(2, causal=True), 6), ((2, 6, 8), (2, 6, 8)), ShapeError, "self-attention"),
        (decoder_block(2), ((2, 6, 8),), ShapeError, "(x, memory) or (x, memory, mask of the memory)"),
        (additive_attention(), ((2, 6, 8), (2, 6, 4)), ShapeError, "queries and keys with equal features"),
        (learned_positions(4), ((2, 6, 8),), ShapeError, "a sequence of at most 4 steps, got 6 steps"),
        (sinusoidal_positions(), ((2, 6, 7),), ShapeError, "an even number of features"),
        (rotary(), ((2, 6, 8),), ShapeError, "(batch, time, heads, features)"),
        (rotary(size=6), ((2, 6, 2, 4),), ShapeError, "an even number of features to rotate, at most 4"),
        (window_attention(2), ((2, 6, 8),), ShapeError, "(batch, height, width, channels)"),
        (window_bias(3), ((2, 2, 4, 4),), ShapeError, "scores between the 9 pixels of a window"),
    ],
)
def test_wrong_inputs_say_what_is_wanted(net, inputs, error, words):
    made = (jnp.ones(i) if isinstance(i, tuple) else i for i in inputs)
    with pytest.raises(error) as caught:
        net.init(0, *made)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: multi_head_attention(0), "heads divisible by kv_heads"),
        (lambda: multi_head_attention(8, kv_heads=3), "heads divisible by kv_heads, got 8 heads, 3 kv_heads"),
        (lambda: multi_head_attention(8, dropout=1.0), "a dropout rate from 0 to below 1"),
        (lambda: multi_head_attention(8, window=-1), "a window of at least 0"),
        (lambda: window_attention(2, 7, 7), "a shift below the window"),
        (lambda: cosine_window_bias(1), "a window of at least 2"),
        (lambda: relative_bias(2), "at least 4 buckets"),
        (lambda: encoder_block(0), "at least one head"),
    ],
)
def test_wrong_arguments_say_what_is_wanted(build, words):
    with pytest.raises(ConfigError) as caught:
        build()
    assert words in str(caught.value)
