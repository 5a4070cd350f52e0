"""Weights of a port as a Keras model's list of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.port.result import Result


def to_keras_weights(port: Result, params: Any, state: Any) -> list[np.ndarray]:
    """See `Ported.to_keras_weights`."""
    saved = port.saved_by("keras")
    arrays = saved.rest | port.to_source(params, state)
    return [np.array(arrays[source]) for source in saved.names.values()]
