"""Each loss of torch.nn against its port: values and gradients, at random inputs and at corners."""

from __future__ import annotations

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compose import port
from compose.core.errors import ConfigError

pytestmark = pytest.mark.usefixtures("x64")
R = np.random.default_rng(1)
X, T = R.normal(size=(6, 5)), R.normal(size=(6, 5))
CORNERS = np.array([[-2.0, -1, -0.5, 0, 0.5, 1, 2, 3], [0.0, 0, 0, 0, 0, 0, 0, 0]]).T
P, BIT = R.uniform(size=(6, 5)), R.integers(0, 2, (6, 5)).astype(float)
SIGN, SIGNS = R.choice([-1.0, 1.0], (6,)), R.choice([-1.0, 1.0], (6, 5))
IDS = R.integers(0, 5, (6,))
W = torch.tensor(R.uniform(0.5, 2, 5))
EMBEDDINGS = tuple(R.normal(size=(6, 5)) for _ in range(3))
MAPS, MAP_IDS = R.normal(size=(2, 5, 3, 4)), R.integers(0, 5, (2, 3, 4))
HOLES = np.where(R.random((2, 3, 4)) > 0.7, -100, MAP_IDS)
DISTRIBUTIONS = R.dirichlet(np.ones(5), 6)
LOGITS = np.concatenate([X * 3, [[500.0, -500, 0, 0, 0]]])
LOGIT_BITS = np.concatenate([BIT, [[0.0, 1, 0, 1, 1]]])
RANKS = np.array(
    [[3, 0, -1, 2, 1], [-1, 0, 1, 2, 3], [4, 3, 2, 1, 0], [1, -1, 1, -1, 1], [0, 4, -1, 4, 4], [2, -1, 0, 0, 0]]
)

FRAMES = np.log(R.dirichlet(np.ones(5), (7, 4)))
LABELS = np.array([[0, 1, 2], [0, 0, 1], [3, 0, 0], [2, 2, 2]])
SEQUENCE = (LABELS, np.array([7, 6, 5, 7]), np.array([3, 3, 1, 3]))
TOO_SHORT = (LABELS, np.array([7, 3, 5, 4]), np.array([3, 3, 1, 3]))

CASES = [
    (nn.L1Loss(), X, T),
    (nn.L1Loss(), CORNERS, CORNERS * [[1, 0]]),
    (nn.MSELoss(), X, T),
    (nn.SmoothL1Loss(beta=0.5), CORNERS, 0 * CORNERS),
    (nn.SmoothL1Loss(beta=0.0), CORNERS, 0 * CORNERS),
    (nn.HuberLoss(delta=0.5), CORNERS, 0 * CORNERS),
    (nn.HuberLoss(), X, T),
    (nn.KLDivLoss(reduction="batchmean"), np.log(P), BIT * DISTRIBUTIONS),
    (nn.KLDivLoss(reduction="batchmean", log_target=True), np.log(P), np.log(DISTRIBUTIONS)),
    (nn.PoissonNLLLoss(full=True), X, 3 * P),
    (nn.PoissonNLLLoss(log_input=False, eps=1e-3), P, 3 * P),
    (nn.GaussianNLLLoss(), (X, P), T),
    (nn.GaussianNLLLoss(full=True, eps=0.3), (X, P[:, :1]), T),
    (nn.GaussianNLLLoss(eps=0.3), (X, P[:, 0]), T),
    (nn.BCELoss(), P, BIT),
    (nn.BCELoss(weight=W), P, R.uniform(size=(6, 5))),
    (nn.BCELoss(), np.array([0.0, 0, 1, 1, 1e-30, 0.5]), np.array([0.0, 1, 0, 1, 1, 1])),
    (nn.BCEWithLogitsLoss(), LOGITS, LOGIT_BITS),
    (nn.BCEWithLogitsLoss(pos_weight=W, weight=W), LOGITS, LOGIT_BITS),
    (nn.SoftMarginLoss(), X, SIGNS),
    (nn.HingeEmbeddingLoss(margin=1.0), CORNERS, np.where(np.arange(8) % 2, 1.0, -1.0)[:, None] * [[1, -1]]),
    (nn.MarginRankingLoss(margin=0.3), (X[:, 0], X[:, 1]), SIGN),
    (nn.MarginRankingLoss(), (CORNERS[:, 0], 0 * CORNERS[:, 0]), np.ones(8)),
    (nn.CosineEmbeddingLoss(margin=0.1), EMBEDDINGS[:2], SIGN),
    (nn.CosineEmbeddingLoss(), (0 * X, X), SIGN),
    (nn.TripletMarginLoss(), EMBEDDINGS, None),
    (nn.TripletMarginLoss(margin=0.5, p=1, swap=True), EMBEDDINGS, None),
    (nn.TripletMarginLoss(margin=5.0, p=3), EMBEDDINGS, None),
    (nn.MultiMarginLoss(margin=0.7, weight=W), X, IDS),
    (nn.MultiMarginLoss(p=2), X, IDS),
    (nn.MultiMarginLoss(), np.eye(5)[[0, 1, 2, 0]], np.array([0, 1, 2, 3])),
    (nn.MultiLabelMarginLoss(), X, RANKS),
    (nn.MultiLabelSoftMarginLoss(weight=W), X, BIT),
    (nn.NLLLoss(), np.log(DISTRIBUTIONS), IDS),
    (nn.NLLLoss(weight=W, ignore_index=2), np.log(DISTRIBUTIONS), IDS),
    (nn.CrossEntropyLoss(), X, IDS),
    (nn.CrossEntropyLoss(), LOGITS, np.array([*IDS, 1])),
    (nn.CrossEntropyLoss(), X[0], np.array(3)),
    (nn.CrossEntropyLoss(weight=W, label_smoothing=0.1), MAPS, HOLES),
    (nn.CrossEntropyLoss(label_smoothing=0.3, ignore_index=1), MAPS, MAP_IDS),
    (nn.CrossEntropyLoss(), X, DISTRIBUTIONS),
    (nn.CrossEntropyLoss(weight=W, label_smoothing=0.2), X, DISTRIBUTIONS),
    (nn.CTCLoss(blank=4), FRAMES, SEQUENCE),
    (nn.CTCLoss(blank=4, zero_infinity=True), FRAMES, TOO_SHORT),
]


def tensors(x, grad=False):
    parts = x if isinstance(x, tuple) else (x,)
    made = [torch.tensor(part, requires_grad=grad) for part in parts]
    return tuple(made)


def compare(module, x, t):
    """Ours and torch's value and gradients by a random cotangent, equal to 1e-12."""
    inputs = tensors(x, grad=True)
    labels = () if t is None else tensors(t)
    value = module(*(inputs[:1] + labels + inputs[1:] if isinstance(module, nn.GaussianNLLLoss) else inputs + labels))
    weight = np.random.default_rng(2).normal(size=tuple(value.shape))
    grads = torch.autograd.grad((value * torch.tensor(weight)).sum(), inputs)
    f = port.loss(module)
    ours, back = jax.vjp(lambda x: f(x, jax.tree.map(jnp.asarray, t)), jax.tree.map(jnp.asarray, x))
    np.testing.assert_allclose(ours, value.detach().numpy(), rtol=1e-12, atol=1e-13)
    for mine, theirs in zip(jax.tree.leaves(back(jnp.asarray(weight))), grads):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("module, x, t", CASES, ids=lambda m: str(m) if isinstance(m, nn.Module) else "")
def test_value_and_gradients(module, x, t, reduction):
    module = copy.copy(module)
    if reduction != "mean":  # a batchmean stays one
        module.reduction = reduction
    compare(module, x, t)


@pytest.mark.parametrize("module", [nn.CrossEntropyLoss(weight=W, label_smoothing=0.1), nn.NLLLoss(weight=W)])
def test_classes_last(module):
    ours = port.loss(module, axis=-1)(np.moveaxis(MAPS, 1, -1), HOLES)
    np.testing.assert_allclose(ours, module(torch.tensor(MAPS), torch.tensor(HOLES)).numpy(), rtol=1e-12)


@pytest.mark.slow
def test_labels_one_behind_the_other():
    labels, frames, lengths = SEQUENCE
    flat = np.concatenate([row[:n] for row, n in zip(labels, lengths)])
    compare(nn.CTCLoss(blank=4), FRAMES, (flat, frames, lengths))
    ours = port.loss(nn.CTCLoss(blank=4))(FRAMES, (flat, tuple(frames.tolist()), tuple(lengths.tolist())))
    np.testing.assert_allclose(ours, port.loss(nn.CTCLoss(blank=4))(FRAMES, SEQUENCE), rtol=1e-12)


def test_a_label_that_cannot_be_aligned():
    value = port.loss(nn.CTCLoss(blank=4, reduction="none"))(FRAMES, TOO_SHORT)
    assert np.isinf(value).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    "module, targets",
    [
        (nn.CrossEntropyLoss(weight=W), jnp.array([0, 1])),
        (nn.CrossEntropyLoss(weight=W), jnp.ones((2, 5), jnp.bfloat16)),
        (nn.BCELoss(weight=W), jnp.ones((2, 5), jnp.bfloat16)),
        (nn.BCEWithLogitsLoss(weight=W, pos_weight=W), jnp.ones((2, 5), jnp.bfloat16)),
        (nn.MultiLabelSoftMarginLoss(weight=W), jnp.ones((2, 5), jnp.bfloat16)),
        (nn.MultiMarginLoss(weight=W), jnp.array([0, 1])),
    ],
)
def test_weights_leave_the_dtype_of_the_predictions(module, targets):
    assert jax.eval_shape(port.loss(module), jnp.ones((2, 5), jnp.bfloat16), targets).dtype == jnp.bfloat16


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    classes=st.integers(2, 6),
    ignored=st.integers(-1, 5),
    smooth=st.floats(0, 0.9),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_cross_entropy_of_any_options(classes, ignored, smooth, weighted, seed):
    rng = np.random.default_rng(seed)
    weight = torch.tensor(rng.uniform(0.1, 2, classes)) if weighted else None
    module = nn.CrossEntropyLoss(weight=weight, ignore_index=ignored, label_smoothing=smooth)
    targets = rng.integers(0, classes, (8,))
    targets[0] = (ignored + 1) % classes  # at least one counts
    compare(module, rng.normal(size=(8, classes)) * 5, targets)


def test_what_cannot_be_ported_says_so():
    with pytest.raises(ConfigError, match="Python function"):
        port.loss(nn.TripletMarginWithDistanceLoss())
    with pytest.raises(ConfigError, match="loss of torch or Keras"):
        port.loss("mse")

    class Mine(nn.MSELoss):
        pass

    with pytest.raises(ConfigError, match="may change MSELoss"):
        port.loss(Mine())
