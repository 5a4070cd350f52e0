"""Weights and constants as values, where a model gives them or where an operation needs one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import BATCH, BroadcastWeight, GraphValue


def as_value(walk: Any, made: Any) -> GraphValue:
    """A weight or constant as a value. Raises `PortError` for a weight repeated along other axes than the batch."""
    if isinstance(made, GraphValue):
        return made
    weight = walk.weight(made)
    if weight is None:
        array = np.asarray(made)
        layer, arrays = layer_of(array, array.shape, batch=False)
        return walk.emit(layer, walk.inputs[0], shape=array.shape, **arrays)
    shape, batch = _own_shape(weight)
    layer, arrays = layer_of(weight.reshaped_view(shape) if batch else weight, shape, batch)
    return walk.emit(layer, walk.inputs[0], shape=weight.shape, **arrays)


def is_number(walk: Any, x: Any) -> bool:
    """Whether an operand is a single constant."""
    return not isinstance(x, (GraphValue, keras.KerasTensor)) and walk.weight(x) is None and np.ndim(x) == 0


def _own_shape(weight: BroadcastWeight) -> tuple[tuple[int, ...], bool]:
    """The shape without the batch, and whether there is a batch."""
    if weight.shape == weight.own:
        return weight.shape, False
    if weight.shape == (BATCH, *weight.own[1:]) and weight.own[0] == 1:
        return weight.own[1:], True
    raise PortError(
        f"a weight as it is, or repeated for each example, got the weight {weight.view.source} of shape {weight.own} "
        f"repeated to {weight.shape}"
    )
