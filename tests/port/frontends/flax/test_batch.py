"""The size of the batch in a Flax module: a symbol of the network, or refused with the user's line."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from compose import port
from compose.core.errors import PortError

X, MORE = (jax.random.normal(jax.random.key(i), (n, 6)) for i, n in ((0, 4), (1, 10)))


class Made(nn.Module):
    """A dense layer, and a function of what it makes."""

    fn: object

    @nn.compact
    def __call__(self, x):
        return self.fn(nn.Dense(6)(x))  # pyright: ignore[reportCallIssue]


def ported(fn):
    module = Made(fn)
    variables = module.init(jax.random.key(2), X)
    return port.from_flax(module, variables, X), lambda x: module.apply(variables, x)


SAID = {
    "a quotient": (lambda x: x / x.shape[0], "divide"),
    "a product": (lambda x: x * x.shape[0], "identity * ops.size(axis=0)"),
    "a product with a part of it": (lambda x: x * (3 / x.shape[0]), "scale(by=3.0)"),
    "of the batch's own product": (lambda x: x.T @ x / x.shape[0], "ops.size"),
    "a root": (lambda x: x / np.sqrt(x.shape[0]), "ops.power(x2=0.5)"),
    "a sum": (lambda x: x + x.shape[0], "ops.size"),
    "a difference": (lambda x: x.shape[0] - x, "ops.size"),
    "the size over": (lambda x: x.shape[0] / (1 + x**2), "ops.size"),
    "a mean by hand": (lambda x: x.sum(0, keepdims=True) / x.shape[0] - x, "ops.mean(axis=0"),
    "twice as many rows": (lambda x: x.reshape(2 * x.shape[0], 3), "reshape(-1, 3, batch=False)"),
    "zeros of its shape": (lambda x: jnp.concatenate([x, jnp.zeros((x.shape[0], 2)) + x[:, :2]], 1), "concat"),
    "two halves": (lambda x: jnp.concatenate(jnp.split(x, 2)[::-1]), "split(parts=2, axis=0)"),
    "two halves and the size": (lambda x: jnp.concatenate(jnp.split(x, 2)[::-1]) / x.shape[0], "ops.size"),
}


@pytest.mark.parametrize("name", SAID)
def test_the_size_of_the_batch_is_a_symbol(name):
    fn, said = SAID[name]
    p, source = ported(fn)
    assert said in " ".join(str(p.net).split()) and "53" not in str(p.net)
    assert p.verify("gradients").ok
    np.testing.assert_allclose(p.net.apply(p.params, p.state, MORE)[0], source(MORE), rtol=2e-5, atol=1e-5)


REFUSED = {
    "a half": lambda x: x[: x.shape[0] // 2],
    "all but one": lambda x: x[: x.shape[0] - 1],
    "one less": lambda x: x / (x.shape[0] - 1),
    "one hot vectors of the places": lambda x: jax.nn.one_hot(jnp.arange(x.shape[0]), x.shape[0]) @ x,
    "the places": lambda x: x + jnp.arange(x.shape[0])[:, None],
    "a loop over the examples": lambda x: sum(x[i] for i in range(x.shape[0])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_follows_from_the_batch_in_another_way_is_refused(name):
    with pytest.raises(PortError, match="batch") as raised:
        ported(REFUSED[name])
    said = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", ())])
    assert "test_batch.py:" in said and "53" not in said and "59" not in said


def test_a_module_of_one_size_says_so_when_it_runs():
    def fixed(x):
        assert x.shape[0] == 4
        return jnp.tanh(x)

    p, _ = ported(fixed)
    assert "ensure_shape(4, 6)" in str(p.net) and p.verify("gradients").ok
    with pytest.raises(Exception, match=r"\(4, 6\), the only sizes"):
        p.net.apply(p.params, p.state, MORE)
