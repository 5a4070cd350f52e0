"""Activations against torch, jax.nn and Keras, also where two pieces meet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import compose as c
from compose.core.layer import as_layer
from tests.cases.case import Case, label
from tests.cases.in_torch import in_torch, prove
from tests.cases.subject import assert_close


def with_torch(layer, theirs, x):
    """Assert that `layer` is `theirs(params, x)` in output and gradients."""
    reference = in_torch(lambda p, s, x: theirs(p, x), turned=False)
    prove(Case(layer, (x,), reference), reference)


POINTS = np.concatenate([[-8, -6, -3, -1, -0.5, 0.0, 0.5, 1, 3, 6, 21, 30], np.random.default_rng(0).normal(size=12)])

SAME = [
    (c.relu, F.relu),
    (c.relu(max_value=6.0), F.relu6),
    (c.relu(threshold=0.5), lambda x: F.threshold(x, 0.5, 0.0)),
    (c.relu(negative_slope=0.2), lambda x: F.leaky_relu(x, 0.2)),
    (c.relu6, F.relu6),
    (c.leaky_relu, F.leaky_relu),
    (c.leaky_relu(negative_slope=0.3), lambda x: F.leaky_relu(x, 0.3)),
    (c.sigmoid, torch.sigmoid),
    (c.tanh, torch.tanh),
    (c.hard_tanh, F.hardtanh),
    (c.hard_tanh(min_value=-0.5, max_value=3.0), lambda x: F.hardtanh(x, -0.5, 3.0)),
    (c.hard_sigmoid, lambda x: F.relu6(x + 3) / 6),  # hardsigmoid's own gradient has a float32 sixth
    (c.hard_swish, F.hardswish),
    (c.hard_shrink, F.hardshrink),
    (c.hard_shrink(threshold=1.0), lambda x: F.hardshrink(x, 1.0)),
    (c.soft_shrink, F.softshrink),
    (c.soft_shrink(threshold=1.0), lambda x: F.softshrink(x, 1.0)),
    (c.threshold(threshold=0.5, value=2.0), lambda x: F.threshold(x, 0.5, 2.0)),
    (c.sparse_sigmoid, lambda x: F.hardtanh((x + 1) / 2, 0, 1)),
    (c.gelu, F.gelu),
    (c.gelu(approximate=True), lambda x: F.gelu(x, approximate="tanh")),
    (c.silu, F.silu),
    (c.mish, lambda x: x * torch.tanh(torch.logaddexp(x, torch.zeros_like(x)))),
    (c.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
    (c.softplus(threshold=20.0), F.softplus),
    (c.softplus(beta=2.0, threshold=5.0), lambda x: F.softplus(x, 2.0, 5.0)),
    (c.soft_sign, F.softsign),
    (c.log_sigmoid, F.logsigmoid),
    (c.elu, F.elu),
    (c.elu(alpha=2.0), lambda x: F.elu(x, 2.0)),
    (c.selu, F.selu),
    (c.celu, F.celu),
    (c.celu(alpha=2.0), lambda x: F.celu(x, 2.0)),
    (c.ops.exp, torch.exp),
    (c.squareplus, lambda x: (x + torch.sqrt(x * x + 4)) / 2),
    (c.squareplus(b=1.0), lambda x: (x + torch.sqrt(x * x + 1)) / 2),
    (c.tanh_shrink, F.tanhshrink),
    (c.softmax, lambda x: torch.softmax(x, -1)),
    (c.log_softmax, lambda x: torch.log_softmax(x, -1)),
    (c.soft_min, lambda x: F.softmin(x, -1)),
    (c.glu, lambda x: F.glu(x, -1)),
    (c.maxout(pieces=3), lambda x: x.reshape(-1, 3).max(-1).values),
    (c.rrelu(0.1, 0.3), lambda x: F.rrelu(x, 0.1, 0.3)),
]


@pytest.mark.parametrize("ours,theirs", SAME, ids=[str(layer) for layer, _ in SAME])
def test_equals_torch_also_at_ties(x64, ours, theirs):
    with_torch(ours, lambda p, x: theirs(x), POINTS)


@pytest.mark.parametrize(
    "ours,theirs",
    [
        (c.softmax(axis=1), lambda x: torch.softmax(x, 1)),
        (c.softmax(axis=(1, 2)), lambda x: torch.softmax(x.flatten(1), -1).reshape(x.shape)),
        (c.log_softmax(axis=0), lambda x: torch.log_softmax(x, 0)),
        (c.soft_min(axis=1), lambda x: F.softmin(x, 1)),
        (c.glu(axis=1), lambda x: F.glu(x, 1)),
        (c.fc(6, c.silu) * c.fc(6), None),
    ],
    ids=label,
)
def test_along_an_axis(x64, ours, theirs, rng):
    def swiglu(p, x):
        a, b = p["fc_0"], p["fc_1"]
        return F.silu(x @ a["kernel"] + a["bias"]) * (x @ b["kernel"] + b["bias"])

    with_torch(ours, swiglu if theirs is None else lambda p, x: theirs(x), rng.normal(size=(3, 4, 5)))


@pytest.mark.parametrize(
    "ours,theirs",
    [
        (c.sparse_plus, "sparse_plus"),
        (c.sparse_sigmoid, "sparse_sigmoid"),
        (c.squareplus, "squareplus"),
        (c.relu(max_value=1.0, negative_slope=0.1, threshold=0.5), "relu"),
    ],
    ids=label,
)
def test_keras_activations(x64, rng, ours, theirs):
    import keras

    options = dict(ours.options)
    call = getattr(keras.activations, theirs)
    x, weights = jnp.asarray(rng.normal(size=(2, 4, 6)) * 2)
    mine = jax.value_and_grad(lambda x: jnp.sum(ours(x) * weights))(x)
    wanted = jax.value_and_grad(lambda x: jnp.sum(call(x, **options) * weights))(x)
    assert_close(mine, wanted, 1e-10, theirs)


def test_foreign_functions_lift_to_words():
    for foreign, text in [(jax.nn.gelu, "gelu(approximate=True)"), (jax.nn.swish, "silu"), (jnp.exp, "ops.exp")]:
        assert str(as_layer(foreign)) == text


def test_integers_are_refused():
    with pytest.raises(c.LayerError, match="floating-point input"):
        c.silu.out(c.spec(3, dtype=int))
