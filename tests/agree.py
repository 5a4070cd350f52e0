"""Agreement of a layer with another framework's, in float64: output and gradients under a random cotangent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch

from compose import Layer
from tests.cases.subject import assert_close


def with_torch(net: Layer, theirs: Callable, *inputs: np.ndarray, params: Any = None, train: bool = False) -> Any:
    """Assert that `net` is `theirs(params, *inputs)`, written in torch, in output and every gradient, to 1e-10.

    `params` are ours, drawn where none are given; both sides get the same numbers. Returns them.
    """
    if params is None:
        params = net.init(0, *inputs)[0]
        noise = np.random.default_rng(3)
        params = jax.tree.map(lambda a: a + 0.3 * noise.normal(size=a.shape), params)
    y, back = jax.vjp(lambda p, xs: net.apply(p, {}, *xs, train=train)[0], params, inputs)
    tensors = jax.tree.map(_leaf, (params, inputs))
    wanted = theirs(tensors[0], *tensors[1])
    noise = np.random.default_rng(4)
    weights = jax.tree.map(lambda a: noise.normal(size=a.shape), y)
    pairs = zip(jax.tree.leaves(wanted), jax.tree.leaves(weights), strict=True)
    sum((w * torch.tensor(c)).sum() for w, c in pairs).backward()
    assert_close(y, jax.tree.map(lambda w: w.detach().numpy(), wanted), 1e-10, "output")
    zero = lambda t: np.zeros(t.shape) if t.grad is None else t.grad.numpy()
    floats = [i for i, x in enumerate(inputs) if x.dtype == np.float64]
    by_params, by_inputs = back(weights)
    assert_close(by_params, jax.tree.map(zero, tensors[0]), 1e-10, "gradients of parameters")
    assert_close([by_inputs[i] for i in floats], [zero(tensors[1][i]) for i in floats], 1e-10, "gradients of inputs")
    return params


def _leaf(a):
    made = torch.tensor(np.array(a))
    return made.requires_grad_() if made.is_floating_point() else made
