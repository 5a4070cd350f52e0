"""Thirty float64 steps of a framework's optimizer and of its port, on the same gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

STEPS = 30
SHAPES = {"bias": (3,), "kernel": (4, 3)}


def problem(seed: int = 0):
    """Parameters, and gradients of very different sizes, some of them all zeros."""
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    grads = [
        {
            name: rng.normal(size=shape) * 10.0 ** rng.integers(-3, 2) * (rng.random(shape) > 0.2) * (i % 7 != 3)
            for name, shape in SHAPES.items()
        }
        for i in range(STEPS)
    ]
    return params, grads


def run_port(tx: optax.GradientTransformation, params, grads):
    """The parameters after each step."""
    params = jax.tree.map(jnp.asarray, params)
    state, seen = tx.init(params), []
    update = jax.jit(tx.update)
    for g in grads:
        updates, state = update(jax.tree.map(jnp.asarray, g), state, params)
        params = optax.apply_updates(params, updates)
        seen.append(jax.tree.map(np.asarray, params))
    return seen


def run_torch(make, params, grads, before=lambda opt, step: None):
    """The parameters after each step; `before` changes the optimizer or the gradients."""
    import torch

    tensors = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in params.items()}
    opt, seen = make(tensors), []
    for i, g in enumerate(grads):
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(g[name])
        before(opt, i)
        opt.step()
        seen.append({name: tensor.detach().numpy().copy() for name, tensor in tensors.items()})
    return seen


def error(params, ours, theirs) -> float:
    """The largest difference at any step, relative to the furthest that any parameter went."""
    worst = max(np.abs(a[name] - b[name]).max() for a, b in zip(ours, theirs) for name in SHAPES)
    moved = max(np.abs(b[name] - params[name]).max() for b in theirs for name in SHAPES)
    assert moved > 0
    return worst / moved
