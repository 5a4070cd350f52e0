"""Each loss of keras.losses against its port: values and gradients, at random inputs and at the clips."""

from __future__ import annotations

import copy

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import port
from compose.core.errors import ConfigError

pytestmark = pytest.mark.usefixtures("keras64")
K = keras.losses
R = np.random.default_rng(1)
X, T = R.normal(size=(6, 5)), R.normal(size=(6, 5))
P, BIT = R.uniform(0.01, 0.99, size=(6, 5)), R.integers(0, 2, (6, 5)).astype(float)
EDGE, EDGE_BIT = np.array([[0.0, 0, 1, 1, 0.5]]), np.array([[0.0, 1, 0, 1, 1]])
HOT, IDS = np.eye(5)[R.integers(0, 5, 6)], R.integers(0, 5, 6)
MAPS, MAP_IDS = R.uniform(0.1, 1, size=(2, 3, 4, 5)), R.integers(0, 5, (2, 3, 4))
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
FRAMES, LABELS = R.normal(size=(2, 5, 4)), np.array([[1, 2, 0], [3, 3, 0]])

CASES = [
    (K.MeanSquaredError(), X, T),
    (K.MeanSquaredError(), X[:, :1], T[:, 0]),
    (K.MeanSquaredError(), X[:, 0], T[:, :1]),
    (K.MeanAbsoluteError(), X, T),
    (K.MeanAbsolutePercentageError(), X, np.where(BIT, T, 0)),
    (K.MeanSquaredLogarithmicError(), X, T),
    (K.CosineSimilarity(), X, T),
    (K.CosineSimilarity(axis=0), X, T),
    (K.LogCosh(), X * 30, T),
    (K.Huber(delta=0.4), X, T),
    (K.Hinge(), X, BIT),
    (K.Hinge(), X, BIT * 2 - 1),
    (K.SquaredHinge(), X, BIT),
    (K.CategoricalHinge(), X, HOT),
    (K.Poisson(), P, 3 * P),
    (K.KLDivergence(), P, BIT * P),
    (K.BinaryCrossentropy(), P, BIT),
    (K.BinaryCrossentropy(label_smoothing=0.1), EDGE, EDGE_BIT),
    (K.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, axis=0), X * 20, BIT),
    (K.BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.5, label_smoothing=0.1), P, BIT),
    (K.BinaryFocalCrossentropy(from_logits=True), X, BIT),
    (K.CategoricalCrossentropy(), EDGE, HOT[:1]),
    (K.CategoricalCrossentropy(label_smoothing=0.2), P, HOT),
    (K.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), X * 20, HOT),
    (K.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.5, label_smoothing=0.1), P, HOT),
    (K.CategoricalFocalCrossentropy(from_logits=True), X, HOT),
    (K.SparseCategoricalCrossentropy(), P, IDS),
    (K.SparseCategoricalCrossentropy(from_logits=True), X, IDS[:, None]),
    (K.SparseCategoricalCrossentropy(ignore_class=2), MAPS, MAP_IDS),
    (K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), MAPS, np.where(MAP_IDS > 2, -1, MAP_IDS)),
    (K.CategoricalGeneralizedCrossEntropy(q=0.3), P, IDS),
    (K.Dice(), P, BIT),
    (K.Dice(axis=1), P, BIT),
    (K.Tversky(alpha=0.3, beta=0.6), P, BIT),
    (K.Tversky(alpha=0.3, beta=0.6, axis=0), P, BIT),
    (K.Circle(gamma=8.0), UNIT, np.array([0, 0, 1, 1, 2, 2])),
    (K.Circle(margin=0.1, remove_diagonal=False), UNIT, np.array([0, 0, 1, 1, 2, 2])),
    (K.MeanSquaredError(reduction="sum"), X, T),
    (K.BinaryCrossentropy(reduction="none"), P, BIT),
    (K.SparseCategoricalCrossentropy(ignore_class=2, reduction="sum"), MAPS, MAP_IDS),
    (K.SparseCategoricalCrossentropy(ignore_class=2, reduction="none"), P, IDS),
    (K.SparseCategoricalCrossentropy(ignore_class=2, reduction="mean_with_sample_weight"), P, IDS),
]


def compare(loss, x, t, tolerance=1e-12):
    """Ours and Keras's value and gradient by a random cotangent."""
    loss = copy.copy(loss)
    loss._dtype_policy = keras.dtype_policies.DTypePolicy("float64")
    t = jnp.asarray(t)
    ours, back = jax.vjp(lambda x: port.loss(loss)(x, t), jnp.asarray(x))
    theirs, keras_back = jax.vjp(lambda x: loss(t, x), jnp.asarray(x))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance / 10)
    weight = jnp.asarray(np.random.default_rng(2).normal(size=ours.shape))
    np.testing.assert_allclose(back(weight)[0], keras_back(weight)[0], rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("loss, x, t", CASES, ids=lambda case: type(case).__name__ if hasattr(case, "fn") else "")
def test_value_and_gradient(loss, x, t):
    compare(loss, x, t)


@pytest.mark.slow
def test_ctc():
    """Keras computes it in float32."""
    compare(K.CTC(), FRAMES, LABELS, 1e-5)


@settings(max_examples=10, deadline=None)
@given(smoothing=st.floats(0, 0.9), from_logits=st.booleans(), seed=st.integers(0, 99))
def test_crossentropies_of_any_options(smoothing, from_logits, seed):
    x = np.random.default_rng(seed).uniform(0, 1, (6, 5))
    compare(K.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing), x, HOT)
    compare(K.BinaryCrossentropy(from_logits=from_logits, label_smoothing=smoothing), x, BIT)


def test_an_embedding_of_zeros_has_no_nan():
    grad = jax.grad(lambda x: port.loss(K.CosineSimilarity())(x, jnp.ones((2, 3))))(jnp.zeros((2, 3)))
    assert np.isfinite(grad).all()


def test_what_cannot_be_ported_says_so():
    with pytest.raises(ConfigError, match="a loss of keras"):
        port.loss(K.Loss())
    with pytest.raises(ConfigError, match="loss object"):
        port.loss(K.mean_squared_error)
    with pytest.raises(ConfigError, match="has its own"):
        port.loss(K.MeanSquaredError(), axis=1)
