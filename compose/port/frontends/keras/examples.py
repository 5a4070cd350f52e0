"""Example inputs for a Keras model that came without."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def examples_for(model: Any) -> list[np.ndarray]:
    """Random inputs of a batch of three; open lengths are seven. Masks and ids begin with what is no padding."""
    rng = np.random.default_rng(0)
    padding = [layer.mask_value for layer in model._flatten_layers() if isinstance(layer, keras.layers.Masking)]
    made = []
    for x in model.inputs:
        shape, dtype = (3, *(7 if n is None else n for n in x.shape[1:])), str(x.dtype)
        if "float" in dtype:
            drawn = rng.normal(size=shape)
            if padding and len(shape) > 2:
                drawn[0, 1], drawn[-1, -2:] = padding[0], padding[0]
        else:
            drawn = rng.integers(0, 2, shape)
            if drawn.shape[-1] > 1:
                drawn[..., :1] = 1
        made.append(drawn.astype(dtype))
    return made
