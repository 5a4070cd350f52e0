"""Randomness by path: a layer's draws depend on the rng and on where it is, on nothing else."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import branch, compose_seq, dropout, fc, named, remat, repeat, residual
from compose.core.context import path_hash

ones = jnp.ones((4, 64))


def draw(net, x=ones, rng=0):
    params, state = net.init(0, x)
    return np.asarray(net.apply(params, state, x, rng=rng, train=True)[0])


def test_two_layers_draw_differently_and_the_same_path_the_same():
    noise = branch(dropout(0.5), dropout(0.5))
    params, state = noise.init(0, ones)
    (a, b), _ = noise.apply(params, state, ones, rng=0, train=True)
    (c, d), _ = noise.apply(params, state, ones, rng=0, train=True)
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal((a, b), (c, d))


def test_another_rng_draws_differently():
    assert not np.array_equal(draw(dropout(0.5)), draw(dropout(0.5), rng=1))


def test_inserting_a_layer_does_not_reseed_the_named_ones():
    plain = compose_seq(dropout(0.5, name="drop"))
    more = compose_seq(dropout(0.0), lambda x: x, dropout(0.5, name="drop"))
    np.testing.assert_array_equal(draw(plain), draw(more))


def test_the_draw_is_the_rng_folded_with_the_hash_of_the_path():
    net = compose_seq(residual(dropout(0.5, name="noise"), shortcut=lambda x: 0 * x), name="net")
    key = jax.random.fold_in(jax.random.key(0), path_hash(("residual_0", "body")))
    expected = jnp.where(jax.random.bernoulli(key, 0.5, ones.shape), 2.0, 0)
    np.testing.assert_array_equal(draw(net), expected)


def test_every_turn_of_a_repeat_draws_differently():
    x = jnp.ones((64, 64))
    kept = [(draw(repeat(n, dropout(0.5)), x) != 0).mean() for n in (1, 3)]
    np.testing.assert_allclose(kept, [1 / 2, 1 / 8], atol=0.03)


def test_repeats_in_repeats_draw_differently_in_each_turn_of_both():
    x = jnp.ones((64, 64))
    kept = (draw(repeat(2, repeat(2, dropout(0.5))), x) != 0).mean()
    np.testing.assert_allclose(kept, 1 / 16, atol=0.02)


def test_wrappers_and_unrolling_change_no_draw():
    plain = draw(compose_seq(dropout(0.5)))
    np.testing.assert_array_equal(draw(compose_seq(remat(dropout(0.5)))), plain)
    once = draw(repeat(4, dropout(0.2)))
    np.testing.assert_array_equal(draw(repeat(4, dropout(0.2), remat=True)), once)
    np.testing.assert_array_equal(draw(repeat(4, dropout(0.2), unroll=2)), once)


def test_jit_changes_no_draw():
    net = compose_seq(fc(8), dropout(0.5))
    params, state = net.init(0, ones)
    run = lambda key: net.apply(params, state, ones, rng=key, train=True)[0] != 0
    np.testing.assert_array_equal(run(jax.random.key(5)), jax.jit(run)(jax.random.key(5)))


@pytest.mark.slow
def test_draws_are_the_same_in_every_process():
    code = (
        "import jax, numpy as np; from compose import *\n"
        "net = compose_seq(fc(3), repeat(2, compose_seq(fc(3), dropout(0.5))))\n"
        "p, s = net.init(0, 3)\n"
        "print(np.asarray(net.apply(p, s, np.ones((2, 3), np.float32), rng=0, train=True)[0]).tobytes().hex())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    net = compose_seq(fc(3), repeat(2, compose_seq(fc(3), dropout(0.5))))
    here = draw(net, np.ones((2, 3), np.float32)).tobytes().hex()
    assert seen == {here + "\n"}


def test_inference_needs_no_rng():
    net = compose_seq(fc(8), dropout(0.5), repeat(2, dropout(0.5)))
    params, state = net.init(0, ones)
    assert net.apply(params, state, ones)[0].shape == (4, 8)


def test_a_name_is_the_path():
    a = draw(compose_seq(lambda x: x, named("noise", dropout(0.5))))
    np.testing.assert_array_equal(a, draw(compose_seq(dropout(0.5, name="noise"))))
