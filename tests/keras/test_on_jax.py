"""Proofs of Keras models on JAX whose gradients need much memory when they are compiled whole."""

from __future__ import annotations

import keras

from compose import port
from compose.keras import on_jax


def test_operation_by_operation_above_the_memory(monkeypatch):
    layers = [keras.layers.DepthwiseConv2D(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    p = port.from_keras(keras.Sequential([keras.Input((6, 6, 4)), *layers]))
    run, compiled = [], on_jax.compiled
    monkeypatch.setattr(on_jax, "compiled", lambda fn, *args: run.append((fn, compiled(fn, *args))) or run[-1][1])
    monkeypatch.setattr(on_jax, "MOST_MEMORY", 0)
    assert p.verify("step").ok
    assert len(run) == 4 and all(made is fn for fn, made in run)
