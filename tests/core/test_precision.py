"""Mixed precision of `apply`: what is cast, what stays, and that None changes nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    batch_norm,
    bfloat16,
    compose_seq,
    embedding,
    fc,
    layer_norm,
    log_softmax,
    multi_head_attention,
    relu,
    repeat,
    residual,
    softmax,
    sparsemax,
    unit_norm,
)
from compose.core.errors import ConfigError
from compose.core.precision import compute_dtype
from compose.train import Trained

HALF = ["bfloat16", "float16"]
net = compose_seq(fc(16), batch_norm(), relu, residual(fc(16)), fc(4, softmax))
x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
params, state = net.init(0, x)


def dtypes(tree):
    return {str(a.dtype) for a in jax.tree.leaves(tree)}


@pytest.mark.parametrize("precision", HALF)
def test_products_are_in_half_precision_and_the_rest_is_not(precision):
    run = lambda p: net.apply(p, state, x, train=True, precision=precision)
    y, after = run(params)
    assert dtypes((y, after)) == {"float32"}
    gradient = jax.grad(lambda p: run(p)[0][:, 0].sum())(params)
    assert dtypes(gradient) == {"float32"}
    text = str(jax.make_jaxpr(run)(params))
    short = {"bfloat16": "bf16", "float16": "f16"}[precision]
    assert text.count("dot_general") == text.count(f"{short}[32,16] = dot_general") + text.count(
        f"{short}[32,4] = dot_general"
    )
    assert f"{short}[32,4] = exp" not in text and "f32[32,4] = exp" in text, "the softmax"
    assert f"{short}[32,16] = square" not in text and "f32[32,16] = square" in text, "the statistics of the batch"


@pytest.mark.parametrize("last", [softmax, log_softmax, sparsemax])
def test_a_last_activation_is_computed_in_float32(last):
    net = compose_seq(fc(3), last)
    params, state = net.init(0, x)
    y = np.asarray(net.apply(params, state, x, precision="bfloat16")[0])
    assert y.dtype == np.float32
    sums = np.exp(y).sum(-1) if last is log_softmax else y.sum(-1)
    np.testing.assert_allclose(sums, 1, rtol=1e-6)
    z = net[:1].apply(params, state, x, precision="bfloat16")[0]
    np.testing.assert_allclose(y, last(z), rtol=1e-6)


def test_none_is_the_same_program():
    plain = jax.make_jaxpr(lambda p: net.apply(p, state, x, train=True))(params)
    given = jax.make_jaxpr(lambda p: net.apply(p, state, x, train=True, precision=None))(params)
    direct = jax.make_jaxpr(lambda p: net.call(p, state, x, context()))(params)
    assert str(plain) == str(given) == str(direct)


def context():
    from compose.core.context import Context

    return Context(train=True)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_inputs_are_computed_in_float32(dtype):
    narrow = jnp.asarray(x, dtype)
    drawn, held = net.init(0, narrow)
    assert dtypes((drawn, held)) == {"float32"}
    y, after = net.apply(drawn, held, narrow, train=True)
    wide, _ = net.apply(drawn, held, narrow.astype(jnp.float32), train=True)
    assert dtypes((y, after)) == {"float32"}
    np.testing.assert_array_equal(y, wide)
    assert net.intermediates(drawn, held, narrow)["fc_0"].dtype == jnp.float32


def test_half_precision_parameters_decide_for_themselves():
    narrow = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
    assert net.apply(narrow, state, jnp.asarray(x, jnp.bfloat16))[0].dtype == jnp.bfloat16
    assert relu(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.slow
def test_repeated_blocks_and_integer_inputs():
    block = compose_seq(
        residual(compose_seq(layer_norm(), multi_head_attention(2, causal=True))),
        residual(compose_seq(layer_norm(), fc(32, relu), fc(16))),
    )
    net = compose_seq(embedding(20, 16), repeat(3, block, remat=True), fc(20))
    ids = jnp.arange(24).reshape(2, 12) % 20
    params, state = net.init(0, ids)
    exact = net.apply(params, state, ids)[0]
    for precision in HALF:
        y = net.apply(params, state, ids, precision=precision)[0]
        assert y.dtype == jnp.float32
        np.testing.assert_allclose(y, exact, atol=0.15 if precision == "bfloat16" else 0.02)


@pytest.mark.parametrize("dtype", HALF)
def test_small_and_large_numbers_keep_their_direction(dtype):
    for size in (1e-4, 1.0, 300.0):
        v = jnp.asarray([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], dtype) * size
        for epsilon in (1e-12, 1e-24):
            np.testing.assert_allclose(unit_norm(epsilon=epsilon)(v).astype(float)[0], [0.6, 0.8, 0], rtol=1e-2)
            assert np.all(np.asarray(unit_norm(epsilon=epsilon)(v)[1]) == 0)


def test_a_trained_network_predicts_in_float32_unless_asked():
    trained = Trained(net, params, state, (), net.init and x[:1])
    exact = net.apply(params, state, x)[0]
    np.testing.assert_allclose(trained.predict(x), exact, rtol=1e-5)
    narrow = trained.predict(x, precision="bfloat16")
    assert narrow.dtype == jnp.float32 and np.any(narrow != exact)
    np.testing.assert_allclose(narrow, exact, atol=0.02)
    labels = np.arange(32) % 4
    wide = trained.evaluate(x, labels, loss="cross_entropy")
    half = trained.evaluate(x, labels, loss="cross_entropy", precision="bfloat16")
    assert half["loss"] == pytest.approx(wide["loss"], rel=1e-2) and half != wide


def test_names_and_dtypes():
    assert compute_dtype(None) is None
    assert compute_dtype("bfloat16") == compute_dtype(jnp.bfloat16) == compute_dtype(bfloat16) == jnp.bfloat16
    for wrong in ("float32", "narrow", 16, float):
        with pytest.raises(ConfigError, match='precision "bfloat16" or "float16", or None'):
            net.apply(params, state, x, precision=wrong)
