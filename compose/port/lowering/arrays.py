"""Arrays of the source as values: parameters, and buffers for masks and integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.ir.weights import Constant
from compose.port.lowering.values import GraphWeight


def layer_of(array: Any, shape: tuple[int, ...], batch: bool = True) -> tuple[Layer, dict[str, dict[str, Any]]]:
    """A layer whose output is an array, and the weights or state that `emit` takes with it.

    Args:
        array: a constant, or a weight of the source.
        shape: of the array here, without the batch.
        batch: whether the layer repeats it for each example.
    """
    known = array.view if isinstance(array, GraphWeight) else array
    known = known.array if isinstance(known, Constant) else known
    options = {} if batch else {"batch": False}
    if not isinstance(known, np.ndarray) or known.dtype.kind not in "biu":
        weight = Constant(array=array) if isinstance(array, np.ndarray) else array
        return word("parameter")(*shape, **options), {"weights": {"value": weight}}
    held = (known if known.dtype == bool else known.astype(np.int32)).reshape(shape)
    return word("buffer")(*shape, dtype=held.dtype, **options), {"state": {"value": Constant(array=held)}}
