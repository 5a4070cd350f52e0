"""Decoding with caches."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    alibi,
    compose_seq,
    decoder_block,
    decoding,
    embedding,
    encoder_block,
    fc,
    learned_positions,
    multi_head_attention,
    relative_bias,
    repeat,
    rotary,
    sinusoidal_positions,
    transformer_block,
)
from compose.core.errors import ConfigError
from tests.cases.subject import FAST_COMPILE

quick = partial(jax.jit, compiler_options=FAST_COMPILE)


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(2, 6, 8)), jnp.float32)


def decoders():
    own = multi_head_attention(2, causal=True, kv_heads=1, rotary=rotary, scores=alibi)
    return [
        multi_head_attention(2, causal=True),
        multi_head_attention(4, causal=True, window=2, scores=relative_bias(8, 16, causal=True)),
        compose_seq(sinusoidal_positions(), transformer_block(own, fc(8))),
        compose_seq(learned_positions(6), repeat(3, encoder_block(2, 16, causal=True, pre_norm=True))),
    ]


@pytest.mark.parametrize(("net", "cuts"), list(zip(decoders(), [(1, 2, 3, 4, 5), (2, 4), (4, 5), (4, 5)])), ids=str)
def test_decoding_part_by_part_is_the_whole_pass(net, cuts, x):
    params, _ = net.init(0, x)
    whole = quick(net.apply)(params, {}, x)[0]
    stepwise = decoding(net, 6)
    run = quick(stepwise.apply)
    same, state = stepwise.init(0, x[:, :1])
    assert jax.tree.map(jnp.shape, same) == jax.tree.map(jnp.shape, params)
    ys = []
    for part in jnp.split(x, cuts, axis=1):
        y, state = run(params, state, part)
        ys.append(y)
    np.testing.assert_allclose(jnp.concatenate(ys, 1), whole, rtol=2e-5, atol=2e-6)


def test_a_decoder_with_memory_decodes_step_by_step(x):
    net = decoder_block(2, 16)
    params, _ = net.init(0, x, x)
    whole, stepwise = quick(net.apply)(params, {}, x, x)[0], decoding(net, 6)
    run = quick(stepwise.apply)
    state = stepwise.init(0, x[:, :1], x)[1]
    for t in range(6):
        y, state = run(params, state, x[:, t : t + 1], x)
        np.testing.assert_allclose(y[:, 0], whole[:, t], rtol=2e-5, atol=2e-6)


def test_beyond_the_cache_is_nan_and_not_an_older_answer(x):
    net = decoding(multi_head_attention(2, causal=True), 5)
    params, state = net.init(0, x[:, :1])
    run = quick(net.apply)
    _, state = run(params, state, x[:, :4])
    fits, state = run(params, state, x[:, :1])
    beyond, state = run(params, state, x[:, :1])
    assert np.all(np.isfinite(fits)) and np.all(np.isnan(beyond))


def test_decoding_needs_causal_attention():
    with pytest.raises(ConfigError, match="a network with causal attention"):
        decoding(compose_seq(embedding(5, 8), encoder_block(2)), 4)
    with pytest.raises(ConfigError, match="causal=True with a cache"):
        multi_head_attention(2, cache=4)
