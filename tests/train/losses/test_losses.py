"""Losses by name against torch, Keras and scikit-learn, with gradients under random cotangents."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import mean_pinball_loss

from compose import losses
from compose.core.errors import ConfigError
from compose.train.losses.known import LOSSES

N, K = 12, 4


@pytest.fixture
def arrays(rng):
    p = rng.uniform(0.1, 1, size=(N, K))
    return {
        "a": rng.normal(size=(N, K)),
        "b": rng.normal(size=(N, K)),
        "positive": rng.uniform(0.1, 2, size=(N, K)),
        "p": rng.uniform(size=(N, K)),
        "distribution": p / p.sum(1, keepdims=True),
        "labels": rng.integers(0, K, N),
        "signs": rng.choice([-1.0, 1.0], size=(N, K)),
        "bits": rng.integers(0, 2, size=(N, K)),
        "pairs": (rng.normal(size=(N, K)), rng.normal(size=(N, K)) * 0.3),
        "same": rng.integers(0, 2, N),
        "triplets": tuple(rng.normal(size=(N, K)) for _ in range(3)),
        "steps": rng.normal(size=(5, 7, K)),
        "texts": np.array([[1, 2, 2], [3, 1, -1], [2, -1, -1], [1, 0, 0], [3, 3, 3]]),
        "nothing": None,
    }


def _smooth(z, t):
    return F.cross_entropy(z, t, reduction="none", label_smoothing=0.1)


def _focal(z, t):
    p = F.log_softmax(z, -1).gather(1, t[:, None])[:, 0]
    return -((1 - p.exp()) ** 2) * p


def _binary_focal(z, t, alpha):
    p = torch.sigmoid(torch.where(t == 1, z, -z))
    return -torch.where(t == 1, alpha, 1 - alpha) * (1 - p) ** 2 * torch.log(p)


def _contrastive(pair, t):
    d = F.pairwise_distance(*pair, eps=0.0)
    return t * d**2 + (1 - t) * F.relu(1.0 - d) ** 2


def _ctc(z, t):
    real = t > 0
    lengths = real.sum(1)
    log_p = F.log_softmax(z, -1).transpose(0, 1)
    return F.ctc_loss(log_p, t.clamp(min=0), torch.full((len(z),), z.shape[1]), lengths, reduction="none")


WEIGHT = torch.tensor([1.0, 2.0, 3.0, 0.5], dtype=torch.float64)
TORCH = {
    "mse": ("mse", "a", "b", lambda a, b: F.mse_loss(a, b, reduction="none")),
    "mae": ("mae", "a", "b", lambda a, b: F.l1_loss(a, b, reduction="none")),
    "huber": ("huber", "a", "b", lambda a, b: F.huber_loss(a, b, reduction="none")),
    "huber of another width": (
        losses.huber(delta=0.4), "a", "b", lambda a, b: F.huber_loss(a, b, reduction="none", delta=0.4),
    ),
    "log_cosh": ("log_cosh", "a", "b", lambda a, b: torch.log(torch.cosh(a - b))),
    "quantile": (losses.quantile(q=0.8), "a", "b", lambda a, b: torch.maximum(0.8 * (b - a), -0.2 * (b - a))),
    "poisson": (
        "poisson", "positive", "positive",
        lambda a, b: F.poisson_nll_loss(a, b, log_input=False, eps=1e-7, reduction="none"),
    ),
    "cosine": ("cosine", "a", "b", lambda a, b: 1 - F.cosine_similarity(a, b, eps=0)),
    "cross_entropy": ("cross_entropy", "a", "labels", lambda z, t: F.cross_entropy(z, t, reduction="none")),
    "of a distribution": ("cross_entropy", "a", "distribution", lambda z, t: F.cross_entropy(z, t, reduction="none")),
    "smoothed": (losses.cross_entropy(smoothing=0.1), "a", "labels", _smooth),
    "smoothed distribution": (losses.cross_entropy(smoothing=0.1), "a", "distribution", _smooth),
    "binary_cross_entropy": (
        "binary_cross_entropy", "a", "p", lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none"),
    ),
    "weighted positives": (
        losses.binary_cross_entropy(positive_weight=(1.0, 2.0, 3.0, 0.5)), "a", "p",
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none", pos_weight=WEIGHT),
    ),
    "focal": ("focal", "a", "labels", _focal),
    "binary_focal": (
        losses.binary_focal(alpha=0.25), "a", "bits",
        lambda z, t: _binary_focal(z, t, 0.25),
    ),
    "hinge": ("hinge", "a", "signs", lambda a, b: torch.clamp(1 - a * b, min=0)),
    "hinge of 0 and 1": ("hinge", "a", "bits", lambda a, b: torch.clamp(1 - a * (2 * b - 1), min=0)),
    "kl": (
        "kl", "a", "distribution", lambda z, t: F.kl_div(F.log_softmax(z, -1), t, reduction="none").sum(-1),
    ),
    "contrastive": ("contrastive", "pairs", "same", _contrastive),
    "triplet": (
        "triplet", "triplets", "nothing", lambda parts, _: F.triplet_margin_loss(*parts, eps=0, reduction="none"),
    ),
    "ctc": ("ctc", "steps", "texts", _ctc),
}  # fmt: skip


def test_every_loss_has_a_reference():
    assert {"binary_focal"} | {str(loss) for loss, *_ in TORCH.values()} >= LOSSES.keys() - {"quantile"}


@pytest.mark.parametrize("name", TORCH)
def test_losses_are_those_of_torch(name, arrays, x64, rng):
    loss, a, b, reference = TORCH[name]
    loss = LOSSES[loss] if isinstance(loss, str) else loss
    tensors = jax.tree.map(lambda v: torch.tensor(v, requires_grad=True), arrays[a])
    expected = reference(tensors, None if arrays[b] is None else torch.tensor(arrays[b]))
    weights = rng.normal(size=expected.shape)
    (expected * torch.tensor(weights)).sum().backward()
    targets = None if arrays[b] is None else jnp.asarray(arrays[b])
    value, back = jax.vjp(lambda p: loss.each(p, targets), jax.tree.map(jnp.asarray, arrays[a]))
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-9)
    (grad,) = back(jnp.asarray(weights))
    for got, tensor in zip(jax.tree.leaves(grad), jax.tree.leaves(tensors), strict=True):
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-8, atol=1e-10)
    assert loss(jax.tree.map(jnp.asarray, arrays[a]), targets) == pytest.approx(
        float(expected.detach().mean()), rel=1e-9
    )


@pytest.mark.slow
def test_nan_in_a_prediction_is_nan_in_the_loss(arrays, x64):
    """A training that diverges must say so."""
    for name, (loss, a, b, _) in TORCH.items():
        loss = LOSSES[loss] if isinstance(loss, str) else loss
        broken = jax.tree.map(lambda v: v.copy(), arrays[a])
        jax.tree.leaves(broken)[0][0, 0] = np.nan
        assert np.isnan(loss(broken, arrays[b])), name


@pytest.mark.slow
def test_losses_are_those_of_keras_and_scikit_learn(arrays, x64):
    keras = pytest.importorskip("keras")
    a, b, t = (jnp.asarray(arrays[name]) for name in ("a", "b", "distribution"))
    one_hot, bits = jax.nn.one_hot(arrays["labels"], K), jnp.asarray(arrays["bits"], float)
    pairs = [
        (losses.quantile(q=0.3)(a, b), mean_pinball_loss(arrays["b"], arrays["a"], alpha=0.3)),
        (losses.cross_entropy(smoothing=0.2)(a, one_hot), keras.losses.CategoricalCrossentropy(True, 0.2)(one_hot, a)),
        (
            losses.binary_cross_entropy(smoothing=0.2)(a, bits),
            keras.losses.BinaryCrossentropy(True, 0.2)(bits, a),
        ),
        (losses.focal(gamma=3.0)(a, one_hot), keras.losses.CategoricalFocalCrossentropy(1.0, 3.0, True)(one_hot, a)),
        (
            losses.binary_focal(gamma=1.5)(a, bits),
            keras.losses.BinaryFocalCrossentropy(gamma=1.5, from_logits=True)(bits, a),
        ),
        (losses.kl(a, t), keras.losses.KLDivergence()(t, jax.nn.softmax(a))),
        (losses.cosine(a, b), 1 + keras.losses.CosineSimilarity()(b, a)),
        (losses.hinge(a, bits), keras.losses.Hinge()(bits, a)),
    ]
    for ours, theirs in pairs:
        assert float(ours) == pytest.approx(float(theirs), rel=1e-5)  # Keras computes in float32


def test_labels_and_one_hot_are_the_same_loss(arrays, x64):
    labels = jnp.asarray(arrays["labels"])
    logits, one_hot = jnp.asarray(arrays["a"]), jax.nn.one_hot(labels, K, dtype=int)
    for loss in (losses.cross_entropy, losses.cross_entropy(smoothing=0.3), losses.focal):
        np.testing.assert_allclose(loss(logits, one_hot), loss(logits, labels), rtol=1e-12)


def test_gradients_are_finite_where_vectors_meet_or_vanish(x64):
    zero, one = jnp.zeros((2, 3)), jnp.ones((2, 3))
    for loss, predictions, targets in (
        (losses.contrastive, (one, one), jnp.array([0, 1])),
        (losses.triplet, (one, one, one), None),
        (losses.cosine, zero, one),
        (losses.focal, 1e3 * jnp.eye(3), jnp.arange(3)),
    ):
        grad = jax.grad(loss)(predictions, targets)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(grad))


def test_ctc_leaves_out_masked_steps(arrays, x64):
    steps, texts = jnp.asarray(arrays["steps"]), jnp.asarray(arrays["texts"])
    real = jnp.arange(7) < 5
    cut = losses.ctc.each(steps[:, :5], texts)
    np.testing.assert_allclose(losses.ctc.each(steps, texts, jnp.broadcast_to(real, (5, 7))), cut, rtol=1e-9)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: losses.huber(width=2), "expected the options delta for the loss huber, got width"),
        (lambda: losses.mse(delta=2), "expected no options for the loss mse, got delta"),
    ],
)
def test_unknown_options(make, text):
    with pytest.raises(ConfigError, match=text):
        make()


@pytest.mark.parametrize(
    "loss",
    [
        losses.huber(delta=0.0), losses.quantile(q=1.0), losses.cross_entropy(smoothing=1.0),
        losses.binary_cross_entropy(smoothing=-0.1),
    ],
)  # fmt: skip
def test_options_out_of_range(loss):
    with pytest.raises(ConfigError):
        loss(jnp.zeros((2, 2)), jnp.zeros((2, 2)))


def test_it_prints_and_compares_by_its_options():
    assert str(losses.huber(delta=2.0)) == "huber(delta=2.0)" and str(losses.mse) == "mse"
    assert losses.huber(delta=2.0) == losses.huber(delta=2.0) != losses.huber
