"""Sorting, the largest, bins, running products and one-hot vectors of torch, and more functions of each element."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.port.frontends.torch.rules.single_operations import verified

EDGES = torch.tensor([-1.0, 0.0, 0.5])
OPERATIONS = {
    "sort": lambda x: x.sort(-1).values + x.sort(1, descending=True).values,
    "places": lambda x: x.sort(-1).indices * x + x.argsort(-1) * x,
    "the largest": lambda x: x.topk(2)[0] + x.topk(2, largest=False)[0],
    "their places": lambda x: x.topk(3, 1)[1] * x,
    "running product": lambda x: x.cumprod(-1),
    "bins": lambda x: torch.bucketize(x, EDGES) * x + torch.bucketize(x, EDGES, right=True) * x,
    "one hot": lambda x: F.one_hot(x.argmax(-1), 6) * x,
    "logarithms": lambda x: torch.log1p(x.abs()) + torch.log2(1 + x**2) + torch.log10(1 + x**2),
    "powers": lambda x: torch.expm1(x) + torch.exp2(x),
    "whole numbers": lambda x: torch.round(x) + x - x.floor() + x.ceil() * x + x.trunc(),
    "decimals": lambda x: torch.round(x, decimals=1) * x,
    "angles": lambda x: torch.atan(x) + torch.asin(torch.tanh(x)) + torch.acos(torch.tanh(x)) + torch.tan(x),
    "hyperbolic": lambda x: torch.sinh(x) + torch.cosh(x) + torch.asinh(x) + torch.atanh(0.5 * torch.tanh(x)),
    "special": lambda x: torch.erfc(x) + torch.lgamma(1 + x**2),
}


FLAT = {
    "counts": lambda x: torch.histc(x, 5, -1, 1) + 0 * x.sum(),
    "counts of all": lambda x: torch.histc(x, 4) + 0 * x.sum(),
    "without a gradient": lambda x: torch.special.modified_bessel_i0(x) + torch.special.spherical_bessel_j0(x) + x,
}


@pytest.mark.parametrize("name", FLAT)
def test_what_has_no_gradient_in_torch(name):
    made = FLAT[name]
    verified(lambda x: made(x.relu()) + x[..., :1])


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


def test_digamma_within_the_precision_of_the_derivative_in_torch():
    # In float64 the trigamma function of torch is right to 5e-10 only, that of SciPy and JAX to 5e-16.
    ported = verified(lambda x: torch.digamma(1 + x**2), level="outputs")
    assert ported.verify("gradients", tolerance=1e-8).ok
