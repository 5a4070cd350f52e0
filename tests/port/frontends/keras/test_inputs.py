"""Keras models whose inputs are dicts, and one that Keras cannot rebuild for a proof."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")
L = keras.layers
RNG = np.random.default_rng(0)
X = {"b": RNG.normal(size=(3, 3)).astype(np.float32), "a": RNG.normal(size=(3, 4)).astype(np.float32)}


def by_name(*order):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    inputs = {name: {"a": a, "b": b}[name] for name in order}
    return keras.Model(inputs, {"y": L.Dense(2)(a), "z": L.Dense(2)(b) + L.Dense(2)(a)})


@pytest.mark.parametrize("examples", [(), (X,)])
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_inputs_by_name(order, examples):
    model = by_name(*order)
    ported = port.from_keras(model, *examples)
    assert ported.verify("gradients").ok
    theirs = model(X)
    ours, _ = ported.net.apply(ported.params, ported.state, X["a"], X["b"])  # in the order of their names
    for y, name in zip(jax.tree.leaves(ours), sorted(theirs), strict=True):
        np.testing.assert_allclose(y, np.asarray(theirs[name]), atol=1e-5)


def test_a_model_that_does_not_rebuild_alike_is_said():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, "relu"), L.BatchNormalization()])
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], L.Dot(1)([inner(a), inner(b)]) + inner.layers[0](a))
    with pytest.raises(PortError, match="that rebuilds alike"):
        port.from_keras(model).verify("gradients")
