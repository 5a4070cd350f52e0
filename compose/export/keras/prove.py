"""A model that was written, as the proof runs it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.export.errors import ExportError
from compose.export.keras.weights import assign, model_of
from compose.keras.backend import backend
from compose.keras.float64 import float64
from compose.keras.modes import mode


class KerasRun:
    """See `compose.export.source.prove.Run`."""

    widens = True

    def __init__(self, source: str):
        self.backend = backend(ExportError)
        self.name = f"Keras on {keras.backend.backend()}"
        with float64():
            self.model = model_of(source)

    def load(self, weights: dict[str, Any]) -> None:
        with float64():
            assign(self.model, weights)

    def outputs(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        with float64():
            made: Any = self.model(*_packed(arrays), **mode(self.model, False))
            return [np.asarray(keras.ops.convert_to_numpy(y)) for y in keras.tree.flatten(made)]

    def gradients(self, arrays: list[np.ndarray], cotangents: list[np.ndarray]) -> dict[str, np.ndarray]:
        floating = [
            y for y in keras.tree.flatten(self.model.output) if "float" in keras.backend.standardize_dtype(y.dtype)
        ]
        if not floating or not self.model.trainable_variables:
            return {}
        with float64():
            given = self.model.inputs
            model = keras.Model(given[0] if len(given) == 1 else given, floating)
            if not model.trainable_variables:
                return {}
            *_, grads = self.backend.gradients(model, arrays, _packed, lambda made: _alike(cotangents, made))
        return {v.path: np.asarray(g) for v, g in zip(model.trainable_variables, grads)}


def _alike(cotangents: list[np.ndarray], outputs: list) -> list[np.ndarray]:
    """The cotangents in the types of the outputs: some that depend on no parameter are float32 in the network."""
    return [c.astype(keras.backend.standardize_dtype(y.dtype)) for c, y in zip(cotangents, outputs, strict=True)]


def _packed(arrays: list) -> tuple:
    return (arrays[0] if len(arrays) == 1 else arrays,)
