"""Types as editors and pyright see them: `assert_type` is checked by pyright, and runs as an ordinary test."""

from pathlib import Path
from typing import Any, assert_type

import jax
import numpy as np

import compose
from compose import Layer, Trained, compose_seq, fc, relu, tanh
from compose.summary import Summary

x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]


def test_operators_and_edits_are_layers():
    assert_type(fc(3) >> relu >> fc(1), Layer)
    assert_type(np.tanh >> fc(3), Layer)
    assert_type(fc(3) + fc(3), Layer)
    assert_type(fc(3) * tanh, Layer)
    assert_type(compose_seq(fc(3), fc(1))[0], Layer)
    assert_type(fc(3).but(size=4), fc)
    assert_type(compose_seq(fc(3)), compose_seq)


def test_training_is_typed(tmp_path: Path):
    net = fc(3, relu) >> fc(1)
    assert_type(net.summary(1), Summary)
    trained = net.fit(x, 2 * x, loss="mse", optimizer="sgd", epochs=1, batch_size=4, verbose=False)
    assert_type(trained, Trained)
    assert_type(trained.fit(x, 2 * x, epochs=1), Trained)
    assert_type(trained.predict(x), jax.Array)
    assert_type(trained.evaluate(x, 2 * x), dict[str, Any])
    trained.save(tmp_path / "net.safetensors")
    assert_type(compose.load(tmp_path / "net.safetensors"), Trained)
