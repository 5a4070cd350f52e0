"""Metrics by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    identity,
)  # fmt: skip
from compose.core.context import Context
from compose.train.logits import forward
from compose.train.losses import loss_of
from compose.train.metrics import metric_of

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


def test_metrics(arrays):
    scores, labels = jnp.asarray(arrays["a"]), jnp.asarray(arrays["labels"])
    order = np.argsort(-arrays["a"], axis=1)

    def value(metric, loss, outputs, targets):
        loss = loss_of(loss)
        made, _ = forward(identity, {}, {}, outputs, Context())
        return float(metric_of(metric, loss)(made, loss.predictions(made), targets))

    one_hot = jax.nn.one_hot(labels, K)
    for targets in (labels, one_hot):
        assert value("accuracy", "cross_entropy", scores, targets) == pytest.approx((order[:, 0] == labels).mean())
        hits = (order[:, :2] == arrays["labels"][:, None]).any(1)
        assert value("top_2", "mse", scores, targets) == pytest.approx(hits.mean())
    assert value("mse", "mae", scores, one_hot) == pytest.approx(float(((scores - one_hot) ** 2).mean()), rel=1e-6)
    assert value("mae", "mse", scores, one_hot) == pytest.approx(float(jnp.abs(scores - one_hot).mean()), rel=1e-6)
    above = lambda at: float(((scores > at) == (one_hot > 0.5)).mean())
    assert above(0.0) != above(0.5)
    assert value("accuracy", "binary_cross_entropy", scores, one_hot) == pytest.approx(above(0.0))
    assert value("binary_accuracy", "mse", scores, one_hot) == pytest.approx(above(0.5))
    bias = lambda outputs, targets: outputs - targets
    assert metric_of(bias, loss_of("mse")).name == "<lambda>"
    assert value(bias, "mse", scores, one_hot) == pytest.approx(float((scores - one_hot).mean()), rel=1e-5)
