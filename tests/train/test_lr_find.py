"""The learning-rate finder."""

from __future__ import annotations

import re

import numpy as np
import pytest

import compose
from compose import fc
from compose.core.errors import ConfigError
from compose.data.dataset import Dataset

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
Y = X @ np.float32([[1], [2], [3], [4]])


def test_the_rate_rises_until_the_loss_diverges():
    found = compose.lr_find(fc(1), X, Y, loss="mse", optimizer="sgd", lowest=1e-4, highest=100.0)
    np.testing.assert_allclose(found.rates[:2], [1e-4, 1e-4 * 1e6 ** (1 / 99)])
    assert 20 < len(found.losses) < 100
    assert found.losses[0] > 5 * found.losses.min()
    good = fc(1).fit(X, Y, loss="mse", optimizer="sgd", learning_rate=found.suggestion, epochs=5, verbose=False)
    assert good.history[-1]["loss"] < 0.1 * good.history[0]["loss"]


def test_the_plot_of_a_data_set():
    found = compose.lr_find(fc(1), Dataset(X, Y), loss="mse", steps=10)
    (axes,) = found.plot().axes
    assert axes.get_xscale() == "log"
    assert len(axes.lines[1].get_xdata()) == 10
    assert re.fullmatch(r"LearningRates\(suggestion=[\d.e-]+, 10 steps from 1e-07 to 10\)", repr(found))


def test_what_cannot_be_meant():
    with pytest.raises(ConfigError, match="0 < lowest < highest"):
        compose.lr_find(fc(1), X, Y, loss="mse", lowest=1.0, highest=0.1)
