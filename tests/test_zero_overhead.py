"""The traced program costs no more than one written by hand: operations, bytes and number of equations."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from compose import (
    batch_norm,
    compose_seq,
    conv,
    dropout,
    embedding,
    fc,
    flatten,
    gelu,
    layer_norm,
    lstm,
    multi_head_attention,
    relu,
    repeat,
    residual,
    sigmoid,
)  # fmt: skip
from compose.core.platform import tracing_for
from tests import by_hand

images, ids = jnp.ones((8, 12, 12, 3)), jnp.ones((4, 10), jnp.int32)
labels = jnp.zeros(8, jnp.int32)


@dataclass(frozen=True)
class Case:
    net: Any
    by_hand: Callable
    x: Any
    target: Any


CASES = {
    "mlp": Case(compose_seq(fc(64, relu), fc(32, relu), fc(10)), by_hand.mlp, jnp.ones((8, 48)), labels),
    "autoencoder": Case(
        compose_seq(
            fc(25, relu, name="e1"), fc(5, relu, name="e2"), fc(25, relu, name="d1"), fc(48, sigmoid, name="d2")
        ),
        by_hand.autoencoder, jnp.ones((8, 48)), jnp.ones((8, 48)),
    ),
    "cnn": Case(
        compose_seq(
            conv(8, 3), batch_norm(), relu, conv(16, 3, stride=2), batch_norm(), relu, flatten, dropout(0.5), fc(10)
        ),
        by_hand.cnn, images, labels,
    ),
    "lstm": Case(compose_seq(lstm(16, output="last"), fc(10)), by_hand.lstm, jnp.ones((8, 12, 6)), labels),
    "transformer": Case(
        compose_seq(
            embedding(50, 32),
            repeat(4, compose_seq(
                residual(compose_seq(layer_norm(), multi_head_attention(4, causal=True), dropout(0.1))),
                residual(compose_seq(layer_norm(), fc(64, gelu), fc(32))),
            )),
            layer_norm(),
            fc(50),
        ),
        by_hand.transformer, ids, ids,
    ),
}  # fmt: skip


def programs(case: Case, what: str):
    """The same function around our network and around the hand-written one, and its arguments."""
    params, state = case.net.init(0, case.x)
    key, optimizer = jax.random.key(0), optax.adam(1e-3)
    ours = lambda p, s, x, key, train: case.net.apply(p, s, x, rng=key, train=train)
    if what == "inference":
        wrap = lambda forward: lambda p, s, x: forward(p, s, x, None, False)
        return wrap(ours), wrap(case.by_hand), (params, state, case.x)

    def wrap(forward):
        def loss(p, s, x, target, key):
            y, after = forward(p, s, x, key, True)
            if target.dtype == y.dtype:
                return jnp.square(y - target).mean(), after
            return optax.softmax_cross_entropy_with_integer_labels(y, target).mean(), after

        def step(p, s, o, x, target, key):
            (value, s), grads = jax.value_and_grad(loss, has_aux=True)(p, s, x, target, key)
            updates, o = optimizer.update(grads, o, p)
            return optax.apply_updates(p, updates), s, o, value

        return step

    return wrap(ours), wrap(case.by_hand), (params, state, optimizer.init(params), case.x, case.target, key)


@pytest.fixture(params=[(name, what) for name in CASES for what in ("inference", "training step")], ids=" ".join)
def pair(request):
    name, what = request.param
    return programs(CASES[name], what)


def cost(fn, args) -> dict[str, float]:
    found = jax.jit(fn).lower(*args).compile().cost_analysis()
    return {k: found.get(k, 0.0) for k in ("flops", "transcendentals", "bytes accessed")}


def equations(jaxpr) -> int:
    """How many equations compute something: those inside a call count, not the call.

    A computation with a form for each platform counts as one; `cost` compares what it compiles to.
    """
    total = 0
    for eqn in jaxpr.eqns:
        inner = [getattr(v, "jaxpr", v) for v in eqn.params.values() if isinstance(v, (Jaxpr, ClosedJaxpr))]
        if any(e.primitive.name == "platform_index" for j in inner for e in j.eqns):
            inner = []
        total += sum(map(equations, inner)) if inner else 1
    return total


def expect_no_more(fn, hand, args, bytes_: float = 1.0, flops: float = 1.0) -> None:
    """Raise if `fn` costs more than `hand`, or more than the given multiple of it."""
    ours, theirs = cost(fn, args), cost(hand, args)
    limits = {"flops": flops, "transcendentals": 1.0, "bytes accessed": bytes_}
    more = {key: (ours[key], theirs[key]) for key, limit in limits.items() if ours[key] > limit * theirs[key]}
    assert not more


def operations(fn, args, platform: str) -> Counter[str]:
    """How often each operation occurs in the program for a platform, as it goes to the compiler."""
    with tracing_for([platform]):
        text = jax.jit(lambda *args: fn(*args)).trace(*args).lower(lowering_platforms=(platform,)).as_text()
    return Counter(re.findall(r"stablehlo\.(\w+)", text))


# The LSTM scales the arguments of its gates. A loop's body counts once, and the product that is the gradient of the
# recurrent kernel, 196,608 operations here, is behind the loop instead of in it. Of a convolution, the columns that the
# product with the gradient of the kernel reads count as bytes, though they stay in the cache.
LIMITS = {
    "lstm inference": {"flops": 1.01, "bytes_": 1.04},
    "lstm training step": {"flops": 1.75},
    "cnn training step": {"flops": 1.2, "bytes_": 1.55},
}


def test_no_more_operations_and_bytes(pair, request):
    ours, hand, args = pair
    expect_no_more(ours, hand, args, **LIMITS.get(request.node.callspec.id, {}))


def test_no_more_equations(pair):
    ours, hand, args = pair
    counted, expected = (equations(jax.make_jaxpr(fn)(*args).jaxpr) for fn in (ours, hand))
    assert counted <= expected


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_products_are_xlas_own_on_other_platforms(pair, platform):
    ours, hand, args = pair
    counted, expected = (operations(fn, args, platform) for fn in (ours, hand))
    for name in ("convolution", "dot_general", "while"):
        assert counted[name] == expected[name], name


@pytest.mark.parametrize("name", CASES)
def test_the_same_values(name):
    ours, hand, args = programs(CASES[name], "inference")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours(*args), hand(*args))


def test_a_difference_would_be_seen():
    case = CASES["mlp"]
    more = Case(case.net, lambda p, s, x, key, train: by_hand.mlp(p, s, x * 2, key, train), case.x, case.target)
    ours, hand, args = programs(more, "inference")
    assert cost(ours, args)["flops"] < cost(hand, args)["flops"]
    assert equations(jax.make_jaxpr(ours)(*args).jaxpr) + 1 == equations(jax.make_jaxpr(hand)(*args).jaxpr)
