"""What a function holds or computes once, repeated for each example: tokens, queries, prompts, states to start from."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import port
from tests.port.levels import proofs

SHAPES = {"b": (4,), "w": (4, 4), "q": (1, 3, 4), "p": (3, 4), "t": (2, 3, 4)}
ARRAYS = {k: np.random.default_rng(0).normal(size=s).astype(np.float32) for k, s in SHAPES.items()}
X = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)


def ported(name):
    return port.from_jax(lambda p, x: CASES[name](SimpleNamespace(**p), x), ARRAYS, X)


def as_rows(x):
    """Two rows of each example, on the first axis."""
    return jnp.repeat(x, 2, axis=0)[:, :, None]


CASES = {
    "read twice": lambda m, x: x @ m.w + jnp.tile(m.b[None], [len(x), 1]) * m.b,
    "broadcast twice": lambda m, x: jnp.broadcast_to(m.b, x.shape) * (x @ m.w) + jnp.broadcast_to(m.b, x.shape),
    "a product": lambda m, x: jnp.matmul(jnp.tile(m.w[None], [len(x), 1, 1]), x[:, :, None])[..., 0] * m.b,
    "a product, computed": lambda m, x: jnp.matmul(jnp.tile(m.q @ m.w, [len(x), 1, 1]), x[:, :, None]),
    "tokens": lambda m, x: jnp.concatenate([jnp.tile(m.q, [len(x), 1, 1]), x[:, None]], 1) @ m.w,
    "computed": lambda m, x: jnp.concatenate([jnp.tile(jax.nn.relu(m.q @ m.w), [len(x), 1, 1]), x[:, None]], 1) @ m.w,
    "computed, broadcast": lambda m, x: jnp.concatenate([jnp.broadcast_to(m.q @ m.w, [len(x), 3, 4]), x[:, None]], 1),
    "einsum": lambda m, x: jnp.einsum("bqd,bd->bq", jnp.repeat(m.q, len(x), axis=0), x),
    "einsum of rows": lambda m, x: jnp.einsum("bqd,bd->bq", jnp.repeat(m.p[None], len(x), axis=0), x),
    "einsum, read twice": lambda m, x: jnp.einsum("bqd,bd->bq", jnp.tile(m.p[None], [len(x), 1, 1]), x) @ m.p,
    "numbers": lambda m, x: jnp.concatenate([jnp.zeros([len(x), 2]), jnp.full([len(x), 2], 3.0), x], 1),
    "times ones": lambda m, x: jnp.concatenate([jnp.ones([len(x), 1]) * m.b, x], 1) * 2,
    "times ones, computed": lambda m, x: jnp.concatenate([jnp.ones([len(x), 1]) * jnp.tanh(m.b), x], 1),
    "times twos": lambda m, x: jnp.concatenate([jnp.full([len(x), 1], 2.0) * m.b, x], 1),
    "times ones of more axes": lambda m, x: jnp.stack([jnp.ones([len(x), 3, 1]) * m.b, x[:, None] * jnp.ones([3, 1])]),
    "plus zeros": lambda m, x: jnp.stack([x, jnp.zeros_like(x) + m.b], 1),
    "where": lambda m, x: jnp.stack([jnp.where(jnp.broadcast_to(m.b, x.shape) > 0, m.b, jnp.zeros_like(x)), x], 1),
    "an activation after it": lambda m, x: jnp.concatenate([jnp.tanh(jnp.tile(m.q, [len(x), 1, 1])), x[:, None]], 1),
    "another shape after it": lambda m, x: jnp.concatenate([jnp.tile(m.q, [len(x), 1, 1]).reshape(-1, 12), x], 1),
    "axes moved after it": lambda m, x: jnp.stack([jnp.tile(m.q, [len(x), 1, 1]).mT[:, :, 0], x], 1),
    "a sum after it": lambda m, x: jnp.tile(m.q, [len(x), 1, 1]).sum(1) * x,
    "beside one number": lambda m, x: x.sum() * jnp.tile(m.q, [len(x), 1, 1]) + x[:, None],
    "the batch second": lambda m, x: jnp.concatenate([jnp.tile(jnp.tanh(m.p)[:, None], [1, len(x), 1]), x[None]], 0).mT,
    "rows of each example": lambda m, x: jnp.tile(m.t, [len(x), 1, 1]) @ as_rows(x),
    "computed rows": lambda m, x: jnp.tile(m.t * 2, [len(x), 1, 1]) @ as_rows(x),
    "one for each of several rows": lambda m, x: jnp.tile(jnp.tanh(m.q), [2 * len(x), 1, 1]) @ as_rows(x),
    "a state to start from": lambda m, x: lax.scan(
        lambda h, t: (jnp.tanh(h @ m.w + t),) * 2, jnp.tile(jnp.tanh(m.b)[None], [len(x), 1]), jnp.stack([x, x])
    )[0],
    "vmap": lambda m, x: jax.vmap(lambda v: m.q[0] @ v)(x),
    "outputs": lambda m, x: (jnp.tile(m.q, [len(x), 1, 1]) * 2, jnp.broadcast_to(m.q @ m.w, [len(x), 3, 4]), x),
}


@proofs(CASES, level="steps")
def test_equal(name, level):
    assert ported(name).verify(level).ok


TEXTS = {
    "einsum": ["fc(3, bias=False)"],
    "vmap": ["fc(3, bias=False)"],
    "numbers": ["frozen(parameter(2))"],
    "times ones": ["branch(parameter(4), identity, join=concat)"],
    "plus zeros": ["branch(identity, parameter(4), join=stack_inputs)"],
    "tokens": ["class_token(count=3)"],
    "computed, broadcast": ["join=matmul", "expand_batch"],
    "another shape after it": ["expand_batch", "flatten"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name):
    text = str(ported(name).net)
    assert all(part in text for part in TEXTS[name])
    assert "broadcast_arrays" not in text
