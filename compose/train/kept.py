"""What a model file may keep of the training besides the model: what going on with it takes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from compose.core.errors import FileError
from compose.train.json_arrays import apart, together
from compose.train.optimizer_state import Stored, by_path

TRAINING = "training"  # the entry of the metadata, and the folder of the tensors


def session_values(session: Any) -> dict[str, Any]:
    """What a file keeps of a `Session`: all but the options and the optimizer, which are functions."""
    kept = session.optimizer_state
    return {
        "steps": session.steps,
        "optimizer": kept.leaves if isinstance(kept, Stored) else by_path(kept),
        "scale": None if session.scale is None else list(session.scale),
        "rate": session.rate,
        "raw": session.raw,
    }


def training_parts(training: Any, copy: Callable[[Any], Any]) -> tuple[dict[str, Any], str]:
    """The tensors, copied by `copy`, and the JSON of what a file keeps of a training."""
    values, arrays = apart(training, TRAINING, copy)
    return arrays, json.dumps(values)


def training_values(path: str | os.PathLike, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> Any:
    """What a file keeps besides the model, or None; its tensors are taken out of `tensors`. Raises `FileError`."""
    if TRAINING not in metadata:
        return None
    arrays = {name: tensors.pop(name) for name in list(tensors) if name.startswith(f"{TRAINING}/")}
    for name, array in arrays.items():
        if jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
            raise FileError(
                f"{path}: {name} has dtype {array.dtype}, which needs jax.config.update('jax_enable_x64', True)"
            )
    try:
        training = together(json.loads(metadata[TRAINING]), arrays)
        if training.keys() < {"steps", "optimizer", "scale", "rate", "raw"}:
            raise ValueError("incomplete")
        return training
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as e:
        raise FileError(f"{path}: not a valid model file: what it keeps of the training: {e}") from None
