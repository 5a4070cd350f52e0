"""Keras's learning-rate schedules against their ports, step by step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from compose import port

pytestmark = pytest.mark.usefixtures("x64")


S = keras.optimizers.schedules


KERAS = [
    S.ExponentialDecay(0.3, 7, 0.5),
    S.ExponentialDecay(0.3, 7, 0.5, staircase=True),
    S.InverseTimeDecay(0.3, 7, 0.5),
    S.InverseTimeDecay(0.3, 7, 0.5, staircase=True),
    S.PiecewiseConstantDecay([3, 9, 20], [1.0, 0.5, 0.3, 0.1]),
    S.PolynomialDecay(0.3, 7, 0.01, power=1.7),
    S.PolynomialDecay(0.3, 7, 0.01, power=1.7, cycle=True),
    S.CosineDecay(0.3, 20, alpha=0.1),
    S.CosineDecay(0.01, 20, alpha=0.1, warmup_target=0.4, warmup_steps=5),
    S.CosineDecayRestarts(0.3, 4, t_mul=1.7, m_mul=0.8, alpha=0.1),
    S.CosineDecayRestarts(0.3, 4, t_mul=1.0, m_mul=0.8),
]


@pytest.mark.parametrize("schedule", KERAS, ids=lambda s: f"{type(s).__name__}")
def test_keras_schedule(schedule, keras64):
    steps = jnp.arange(40)
    np.testing.assert_allclose(jax.vmap(port.schedule(schedule))(steps), jax.vmap(schedule)(steps), 1e-12)
