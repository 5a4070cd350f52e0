"""The backend that Keras runs on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras

from compose.core.errors import PortError


def backend(error: Callable[[str], Exception] = PortError) -> Any:
    """The module beside this one with `gradients` and `train` for Keras's backend."""
    name = keras.backend.backend()
    if name not in ("jax", "tensorflow", "torch"):
        raise error(f"Keras on JAX, TensorFlow or PyTorch, to prove a model, got {name!r}: set KERAS_BACKEND=jax")
    return importlib.import_module(f"compose.keras.on_{name}")
