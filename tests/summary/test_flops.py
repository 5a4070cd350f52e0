"""Operations counted from the jaxpr, against XLA's own count of the compiled program."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from compose import (
    batch_norm,
    compose_seq,
    conv,
    fc,
    flatten,
    layer_norm,
    lstm,
    multi_head_attention,
    relu,
    repeat,
    residual,
    softmax,
)
from compose.summary.flops import flops


def spec(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def xla(fn, *args) -> float:
    cost = jax.jit(fn).lower(*args).compile().cost_analysis()
    return cost.get("flops", 0) + cost.get("transcendentals", 0)


def convolution(**options):
    options = {"window_strides": (1, 1), "padding": "SAME", **options}
    return lambda x, k: lax.conv_general_dilated(x, k, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)


EXACT = {
    "matmul": (lambda x, w: jax.nn.relu(x @ w), spec(8, 30), spec(30, 40)),
    "batched matmul": (lambda a, b: jnp.einsum("bij,bjk->bik", a, b), spec(5, 6, 7), spec(5, 7, 8)),
    "same": (convolution(), spec(2, 28, 28, 3), spec(3, 3, 3, 16)),
    "stride and dilation": (
        convolution(window_strides=(2, 3), rhs_dilation=(2, 1)),
        spec(2, 28, 27, 3),
        spec(3, 5, 3, 16),
    ),
    "transposed": (convolution(padding=[(2, 2), (2, 3)], lhs_dilation=(2, 3)), spec(2, 9, 8, 3), spec(3, 3, 3, 16)),
    "groups": (convolution(feature_group_count=4), spec(2, 9, 9, 8), spec(3, 3, 2, 16)),
    "depthwise": (convolution(feature_group_count=8), spec(2, 9, 9, 8), spec(3, 3, 1, 8)),
    "max pool": (
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        spec(2, 8, 8, 3),
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_operations_that_xla_keeps_as_they_are_count_the_same(name):
    fn, *args = EXACT[name]
    assert flops(fn, *args) == xla(fn, *args)


def test_a_loop_counts_its_turns_where_xla_counts_its_body_once():
    def body(c, w):
        return jnp.maximum(c @ w, 0), None

    turns = 6
    x, w = spec(4, 32), spec(32, 32)
    one = flops(lambda c, w: body(c, w)[0], x, w)
    assert one == 2 * 4 * 32 * 32 + 4 * 32
    assert flops(lambda c, ws: lax.scan(body, c, ws)[0], x, spec(turns, 32, 32)) == turns * one
    assert xla(lambda c, ws: lax.scan(body, c, ws)[0], x, spec(turns, 32, 32)) < 2 * one


def test_of_two_branches_the_dearer_counts():
    fn = lambda x: lax.cond(x.sum() > 0, lambda x: x @ x, lambda x: x, x)
    assert flops(fn, spec(8, 8)) == 2 * 8**3 + 8 * 8 + 1


@pytest.mark.parametrize("wrap", [jax.jit, jax.checkpoint], ids=["jit", "remat"])
def test_functions_inside_the_program_are_looked_into(wrap):
    assert flops(wrap(lambda x: x @ x), spec(8, 8)) == 2 * 8**3


NETS = {
    "mlp": (compose_seq(fc(250, relu), fc(100, relu), fc(10)), spec(32, 784)),
    "cnn": (
        compose_seq(conv(16, 3, relu), batch_norm(), conv(32, 3, relu, stride=2), flatten, fc(10)),
        spec(4, 28, 28, 3),
    ),
    "residual": (compose_seq(residual(compose_seq(layer_norm(), fc(256, relu), fc(64))), fc(10)), spec(8, 64)),
    "softmax": (compose_seq(fc(100), softmax), spec(32, 300)),
    "attention": (multi_head_attention(4, causal=True), spec(2, 20, 32)),
    "one step of an lstm": (lstm(64), spec(2, 1, 64)),
}


@pytest.mark.parametrize("name", NETS)
def test_networks_count_what_xla_counts(name):
    net, x = NETS[name]
    params, state = jax.eval_shape(lambda key: net.init(key, x), jax.random.key(0))
    counted = xla(lambda p, s, x: net.apply(p, s, x)[0], params, state, x)
    assert net.summary(x).flops == pytest.approx(counted, rel=0.01)


def test_a_recurrence_counts_its_steps():
    one, ten = (lstm(64).summary(spec(2, steps, 64)).flops for steps in (1, 10))
    assert ten == 10 * one


def test_a_repeat_counts_what_xla_counts_for_the_written_out_form():
    block = residual(compose_seq(layer_norm(), fc(256, relu), fc(64)))
    written, x = compose_seq(*[block] * 5), spec(8, 64)
    params, state = jax.eval_shape(lambda key: written.init(key, x), jax.random.key(0))
    counted = xla(lambda p, s, x: written.apply(p, s, x)[0], params, state, x)
    assert repeat(5, block).summary(x).flops == written.summary(x).flops == pytest.approx(counted, rel=0.01)
