"""A weight of a module that is read beside it too: the module is read by its operations."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("flax")
from flax import nnx

from compose import port
from compose.core.errors import PortError


class Turned(nnx.Module):
    def __init__(self):
        self.table = nnx.Embed(7, 4, rngs=nnx.Rngs(0))
        self.linear, self.norm = nnx.Linear(4, 4, rngs=nnx.Rngs(1)), nnx.LayerNorm(4, rngs=nnx.Rngs(2))

    def __call__(self, ids):
        x = self.norm(self.linear(self.table(ids))) @ self.linear.kernel[...].T
        table = self.table.embedding[...]
        return x @ (table / jnp.sqrt((table**2).sum(-1, keepdims=True))).T


class Normed(nnx.Module):
    def __init__(self):
        self.norm = nnx.BatchNorm(4, rngs=nnx.Rngs(0), use_running_average=True)

    def __call__(self, x):
        return self.norm(x) * self.norm.scale[...]


@pytest.mark.slow
def test_it_learns_as_one():
    ids = np.random.default_rng(0).integers(0, 7, (3, 5))
    assert port.from_flax(Turned(), ids).verify("step").ok


@pytest.mark.slow
def test_modules_that_train_in_another_way_are_refused():
    with pytest.raises(PortError, match="layers that differ"):
        port.from_flax(Normed(), np.ones((3, 4), np.float32))
