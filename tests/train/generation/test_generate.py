"""Generated tokens are those of a loop that computes the whole sequence anew for each of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring

from compose import (
    alibi,
    compose_seq,
    embedding,
    encoder_block,
    fc,
    flatten,
    generate,
    learned_positions,
    multi_head_attention,
    repeat,
    residual,
    rotary,
    sinusoidal_positions,
)
from compose.core.errors import ConfigError, DataError, LayerError

WORDS = 11
attention = residual(multi_head_attention(2, causal=True, kv_heads=1, rotary=rotary, scores=alibi))
NETS = {
    "learned positions": compose_seq(
        embedding(WORDS, 8),
        learned_positions(32),
        repeat(2, encoder_block(2, 16, causal=True, pre_norm=True)),
        fc(WORDS, bias=False),
    ),
    "rotary": compose_seq(embedding(WORDS, 8), sinusoidal_positions(), attention, fc(WORDS)),
}


def model(name: str):
    """A network whose next token depends on all before it, so that a wrong cache changes the text."""
    net = NETS[name]
    params, state = net.init(0, np.zeros((1, 4), np.int32))
    rng = np.random.default_rng(10)
    return net, jax.tree.map(lambda a: 2 * jnp.asarray(rng.normal(size=a.shape), jnp.float32), params), state


def one_by_one(net, params, state, prompt, steps: int) -> list[int]:
    forward = jax.jit(lambda ids: net.apply(params, state, ids)[0])
    ids = np.zeros(len(prompt) + steps, np.int32)
    ids[: len(prompt)] = prompt
    for i in range(len(prompt), len(ids)):
        ids[i] = forward(ids[None])[0, i - 1].argmax()  # causal: what comes later does not matter
    return ids[len(prompt) :].tolist()


@pytest.mark.parametrize("name", NETS)
def test_greedy_is_the_whole_pass_for_prompts_of_several_lengths(name):
    given = model(name)
    prompts = [[1, 2, 3, 4, 5, 6, 7], [3], [9, 0, 2]]
    expected = [one_by_one(*given, prompt, 9) for prompt in prompts]
    assert len({token for row in expected for token in row}) > 3  # not one token again and again
    np.testing.assert_array_equal(generate(*given, prompts, steps=9), expected)


def test_a_single_prompt_and_an_array_of_prompts():
    given = model("rotary")
    alone = generate(*given, [1, 2, 3], steps=5)
    assert alone.shape == (5,)
    np.testing.assert_array_equal(generate(*given, np.array([[1, 2, 3], [4, 5, 6]]), steps=5)[0], alone)


def test_stop_ends_a_sequence_and_leaves_the_others():
    given = model("learned positions")
    free = generate(*given, [[1, 2, 3], [5]], steps=8)
    stop = int(free[0][3])
    first = int(np.argmax(free[0] == stop))
    stopped = generate(*given, [[1, 2, 3], [5]], steps=8, stop=stop)
    np.testing.assert_array_equal(stopped[0], [*free[0][: first + 1], *[stop] * (7 - first)])
    end = list(free[1]).index(stop) if stop in free[1] else 8
    np.testing.assert_array_equal(stopped[1][:end], free[1][:end])


@pytest.mark.slow
def test_drawing_depends_on_the_seed_and_a_temperature_near_zero_is_greedy():
    given = model("rotary")
    draws = [generate(*given, [1, 2], steps=12, temperature=200.0, seed=seed) for seed in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()
    greedy = generate(*given, [1, 2], steps=12)
    np.testing.assert_array_equal(generate(*given, [1, 2], steps=12, temperature=1e-7), greedy)
    np.testing.assert_array_equal(generate(*given, [1, 2], steps=12, temperature=200.0, top_k=1), greedy)


def test_it_is_compiled_once():
    given, compiled = model("rotary"), []
    generate(*given, [[1, 2, 3]], steps=9)  # 12 tokens, so caches of 16
    listen = lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    monitoring.register_event_duration_secs_listener(listen)
    generate(*given, [[3, 2]], steps=12, seed=3)
    generate(*given, [[5, 6, 7]], steps=13)
    assert not compiled


def test_what_does_not_fit_is_said():
    given = model("learned positions")
    with pytest.raises(ConfigError, match=r"(?s)learned_positions_0: expected at most 32 tokens, got 40.*fewer"):
        generate(*given, [1, 2], steps=38)
    with pytest.raises(LayerError, match=r"ids between 0 and 10.*got 11 at \[0, 1\]"):
        generate(*given, [1, 11], steps=2)
    with pytest.raises(DataError, match="prompt 1 is empty"):
        generate(*given, [[1], []], steps=2)
    with pytest.raises(DataError, match="prompt 0 holds float64"):
        generate(*given, [[0.5]], steps=2)
    with pytest.raises(ConfigError, match="steps to be an integer of at least 1, got 0"):
        generate(*given, [1], steps=0)
    net = compose_seq(embedding(WORDS, 4), flatten, fc(3))
    params, state = net.init(0, np.zeros((1, 1), np.int32))
    with pytest.raises(LayerError, match="logits \\(batch, time, vocabulary\\)"):
        generate(net, params, state, [1], steps=2)
    net = compose_seq(embedding(WORDS, 4), fc(WORDS))
    params, state = net.init(0, np.zeros((1, 1), np.int32))
    with pytest.raises(ConfigError, match="causal attention"):
        generate(net, params, state, [1], steps=2)
