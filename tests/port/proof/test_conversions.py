"""Whole numbers that become float32 stand for numbers of the proof's precision, in the source and in the network."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from compose import port

X = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def proven(ported: Any) -> None:
    """What follows from a third is no float32, so that rounding on one side alone would be seen."""
    assert "astype" in ported.source
    report = ported.verify("outputs")
    assert all(row.error < 1e-12 for row in report.rows if row.check != "witness")


@pytest.mark.parametrize("dtype", [jnp.float32, None], ids=["explicit", "the input's"])
def test_jax(dtype):
    proven(port.from_jax(lambda params, x: 1 / ((x > 0).sum(-1).astype(dtype or x.dtype) + 3), {}, X))


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [True, False])
def test_torch_and_onnx(explicit):
    torch = pytest.importorskip("torch")
    from tests.port.frontends.onnx.onnx_models import exported

    class Counts(torch.nn.Module):
        def forward(self, x):
            n = (x > 0).sum(-1)
            return 1 / ((n.float() if explicit else n.to(x.dtype)) + 3)

    proven(port.from_torch(Counts(), torch.tensor(X)))
    proven(port.from_onnx(exported(Counts(), torch.tensor(X))))


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [True, False])
def test_keras(explicit):
    keras = pytest.importorskip("keras")
    x = keras.Input((5,))
    count = keras.ops.sum(keras.ops.cast(x > 0, "int32"), -1)
    proven(port.from_keras(keras.Model(x, 1 / (keras.ops.cast(count, "float32" if explicit else x.dtype) + 3))))


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [True, False])
def test_tensorflow(explicit):
    tf = pytest.importorskip("tensorflow")
    count = lambda x: tf.reduce_sum(tf.cast(x > 0, tf.int32), -1)
    counts = lambda x: 1 / (tf.cast(count(x), tf.float32 if explicit else x.dtype) + 3)
    proven(port.from_tf(tf.function(counts), tf.constant(X)))
