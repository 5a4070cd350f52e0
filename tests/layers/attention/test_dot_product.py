"""Causal attention in blocks of queries: the values and derivatives of the whole, for less work."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import multi_head_attention, scaled_dot_product_attention
from compose.core.errors import ShapeError
from compose.core.platform import tracing_for
from compose.layers.attention.dot_product import allowed, attend
from tests.derivatives import expect_equal_derivatives

causal = scaled_dot_product_attention(causal=True)


def arrays(steps: int, groups: int = 4, dtype=float):
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.normal(size=(2, steps, heads, 3)), dtype) for heads in (4, groups, groups))


def whole(q, k, v):
    return attend(q, k, v, mask=allowed(None, q, k, True, None))[0]


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("steps", [64, 67])
def test_the_derivatives_are_those_of_the_whole(steps, groups, x64):
    expect_equal_derivatives(causal, whole, arrays(steps, groups), rtol=1e-12, atol=1e-12)


def cost(f, *args) -> float:
    return jax.jit(f).lower(*args).compile().cost_analysis()["flops"]


def test_what_no_query_attends_to_is_not_computed():
    qkv = arrays(128, dtype=jnp.float32)
    assert cost(causal, *qkv) < 0.7 * cost(whole, *qkv)
    assert cost(causal, *(a[:, :40] for a in qkv)) == cost(whole, *(a[:, :40] for a in qkv))


@pytest.mark.parametrize("platforms", [["cuda"], ["cpu", "tpu"]])
def test_other_platforms_get_the_program_written_out(platforms):
    qkv = arrays(128)
    with tracing_for(platforms):
        program = jax.make_jaxpr(lambda *a: causal(*a))(*qkv)
    assert str(program) == str(jax.make_jaxpr(lambda *a: whole(*a))(*qkv))


def test_any_number_of_steps_compiles_to_one_program():
    steps = jax.export.symbolic_shape("steps")[0]
    net = multi_head_attention(2, causal=True)
    params, state = net.init(0, jnp.ones((1, 4, 8)))
    program = jax.export.export(jax.jit(lambda x: net.apply(params, state, x)[0]))(
        jax.ShapeDtypeStruct((2, steps, 8), jnp.float32)
    )
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 128, 8)), jnp.float32)
    np.testing.assert_allclose(program.call(x), net.apply(params, state, x)[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 5, 5), (1, 4, 5, 5), (2, 1, 1, 5)])
def test_floats_in_place_of_a_mask_are_added_to_the_scores(shape, x64):
    q, k, v = arrays(5)
    numbers = jnp.asarray(np.random.default_rng(1).normal(size=shape))
    weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 3**0.5 + numbers)
    wanted = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
    np.testing.assert_allclose(scaled_dot_product_attention(q, k, v, numbers), wanted, rtol=1e-12)
    x = jnp.asarray(np.random.default_rng(2).normal(size=(2, 5, 8)))
    net = multi_head_attention(4)
    params, state = net.init(0, (x, numbers))
    masked, by_mask = jnp.where(numbers > 0, 0.0, -1e300), multi_head_attention(4, empty="mean")
    got = net.apply(params, state, (x, x, masked))[0]
    np.testing.assert_allclose(got, by_mask.apply(params, state, (x, numbers > 0))[0], rtol=1e-12)


def test_floats_to_add_have_the_shape_of_the_scores():
    q, k, v = arrays(5)
    with pytest.raises(ShapeError, match="numbers to add to scores of"):
        scaled_dot_product_attention(q, k, v, jnp.zeros((2, 4, 5, 4)))
