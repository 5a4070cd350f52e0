"""Losses by name against torch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compose.train.losses.known import LOSSES

N, K = 12, 4


@pytest.fixture
def arrays(rng):
    return {
        "a": rng.normal(size=(N, K)),
        "b": rng.normal(size=(N, K)),
        "positive": rng.uniform(0.1, 2, size=(N, K)),
        "p": rng.uniform(size=(N, K)),
        "labels": rng.integers(0, K, N),
        "signs": rng.choice([-1.0, 1.0], size=(N, K)),
    }


TORCH = {
    "mse": ("a", "b", F.mse_loss),
    "mae": ("a", "b", F.l1_loss),
    "huber": ("a", "b", F.huber_loss),
    "log_cosh": ("a", "b", lambda a, b: torch.log(torch.cosh(a - b)).mean()),
    "cross_entropy": ("a", "labels", F.cross_entropy),
    "binary_cross_entropy": ("a", "p", F.binary_cross_entropy_with_logits),
    "hinge": ("a", "signs", lambda a, b: torch.clamp(1 - a * b, min=0).mean()),
    "poisson": ("positive", "positive", lambda a, b: F.poisson_nll_loss(a, b, log_input=False, eps=1e-7)),
}


def test_every_loss_has_a_reference():
    assert TORCH.keys() == LOSSES.keys()


@pytest.mark.parametrize("name", TORCH)
def test_losses_are_those_of_torch(name, arrays, x64):
    a, b, reference = TORCH[name]
    prediction = torch.tensor(arrays[a], requires_grad=True)
    expected = reference(prediction, torch.tensor(arrays[b]))
    expected.backward()
    value, grad = jax.value_and_grad(LOSSES[name])(jnp.asarray(arrays[a]), jnp.asarray(arrays[b]))
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(grad, prediction.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_labels_and_one_hot_are_the_same_loss(arrays, x64):
    labels = jnp.asarray(arrays["labels"])
    loss, logits = LOSSES["cross_entropy"], jnp.asarray(arrays["a"])
    np.testing.assert_allclose(loss(logits, jax.nn.one_hot(labels, K, dtype=int)), loss(logits, labels), rtol=1e-12)
