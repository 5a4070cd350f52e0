"""What a module holds or computes once, repeated for each example: tokens, queries, prompts."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from compose import port
from tests.port.levels import proofs

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


class Model(linen.Module):
    name_of_case: str

    @linen.compact
    def __call__(self, x):
        return CASES[self.name_of_case](self, x)


def held(m, name: str, *shape: int):
    return m.param(name, linen.initializers.normal(1.0), shape)


def ported(name):
    model = Model(name)
    return port.from_flax(model, model.init(jax.random.key(0), X), X)


def attends(m, x):
    """Learned queries that attend to a sequence."""
    queries = jnp.broadcast_to(held(m, "q", 1, 3, 4), (len(x), 3, 4))
    return queries + linen.MultiHeadDotProductAttention(2)(queries, x[:, None])


CASES = {
    "a token": lambda m, x: linen.Dense(4)(
        jnp.concatenate([jnp.tile(held(m, "q", 1, 1, 4), (len(x), 1, 1)), x[:, None]], 1)
    ),
    "queries": attends,
    "through a layer": lambda m, x: jnp.concatenate(
        [jnp.broadcast_to(linen.Dense(4)(held(m, "q", 1, 3, 4)), (len(x), 3, 4)), x[:, None]], 1
    ),
    "a layer after it": lambda m, x: jnp.concatenate(
        [linen.LayerNorm()(jnp.tile(held(m, "q", 1, 3, 4), (len(x), 1, 1))), x[:, None]], 1
    ),
    "a prompt": lambda m, x: linen.Dense(2)(jnp.concatenate([jnp.tile(held(m, "b", 4)[None], (len(x), 1)), x], 1)),
    "read twice": lambda m, x: (b := jnp.broadcast_to(held(m, "b", 4), x.shape)) * linen.Dense(4)(x) + b,
    "a state to start from": lambda m, x: linen.RNN(linen.GRUCell(4))(
        x[:, None], initial_carry=jnp.broadcast_to(jnp.tanh(held(m, "h", 4)), (len(x), 4))
    ),
}


@proofs(CASES, level="steps")
def test_equal(name, level):
    assert ported(name).verify(level).ok


TEXTS = {"a token": "class_token", "a prompt": "parameter(4)", "through a layer": "expand_batch"}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name):
    text = str(ported(name).net)
    assert TEXTS[name] in text
    assert "broadcast_arrays" not in text
