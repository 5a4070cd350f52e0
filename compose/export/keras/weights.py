"""A source as a model, and its weights by the paths of its variables."""

from __future__ import annotations

import types
from typing import Any

import keras
import numpy as np

from compose.export.errors import ExportError


def model_of(source: str) -> keras.Model:
    """The model that a source defines, with weights at their initial values."""
    made: Any = types.ModuleType("network")
    exec(compile(source, "network.py", "exec"), made.__dict__)
    return made.network()


def assign(model: keras.Model, weights: dict[str, Any]) -> None:
    """Set all weights, strictly."""
    variables = {v.path: v for v in model.weights}
    if set(variables) != set(weights) or len(variables) != len(model.weights):
        differ = sorted(set(variables) ^ set(weights))
        raise ExportError("a model whose variables are the weights that were written", ", ".join(differ) or "one twice")
    for path, array in weights.items():
        held = variables[path]
        if tuple(held.shape) != tuple(np.shape(array)):
            raise ExportError(f"{path} of shape {tuple(held.shape)}", f"{tuple(np.shape(array))}")
        held.assign(np.asarray(array, keras.backend.standardize_dtype(held.dtype)))
