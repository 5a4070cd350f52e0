"""Whether a Keras model trains: as an argument of its call, where it takes one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def mode(model: Any, training: bool) -> dict[str, bool]:
    """The argument of a model's call that says whether it trains, where it takes one, as `fit` gives it."""
    return {"training": training} if model._call_has_training_arg else {}


def predicted(model: Any, inputs: tuple) -> list[np.ndarray]:
    """The outputs for arguments of the model's call, in inference."""
    if len(inputs) > 1:
        made: Any = model(*inputs, **mode(model, False))
    else:
        made = model.predict_on_batch(*inputs)
    return [np.asarray(keras.ops.convert_to_numpy(o)) for o in keras.tree.flatten(made)]
