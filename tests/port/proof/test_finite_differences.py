"""Gradients that are far smaller than the outputs: rounding of the differences is no error, a wrong gradient is."""

from __future__ import annotations

import numpy as np
import pytest

from compose.port.proof.finite_differences import Differences
from compose.port.proof.reference import cotangents

X, W = np.random.default_rng(0).normal(size=(2, 4, 6))


def outputs(size):
    return lambda arrays, inputs: [1 + size * np.sin(inputs[0] * arrays["w"])]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-6])
def test_rounding_is_no_error(size, seed):
    differences = Differences(outputs(size), {"w": W}, [X], seed)
    (cotangent,) = cotangents(differences.outputs, seed)
    slope = size * cotangent * np.cos(X * W)
    assert all(row.ok for row in differences.rows([slope * W], {"w": slope * X}))
    inputs, weights = differences.rows([slope * W * 1.01], {"w": slope * X * 0.99})
    assert not inputs.ok and not weights.ok
