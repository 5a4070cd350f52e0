"""Outputs of a model that no input changes: its weights and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import BATCH, BroadcastWeight, GraphValue


def as_output(walk: Any, made: Any) -> GraphValue:
    """What a model gives, as a value. Raises `PortError` for a weight repeated along other axes than the batch."""
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


def _own_shape(weight: BroadcastWeight) -> tuple[tuple[int, ...], bool]:
    """The shape without the batch, and whether there is a batch."""
    if weight.shape == weight.own:
        return weight.shape, False
    if weight.shape == (BATCH, *weight.own[1:]) and weight.own[0] == 1:
        return weight.own[1:], True
    raise PortError(
        f"an output that depends on the input, got the weight {weight.view.source} of shape {weight.own} "
        f"repeated to {weight.shape}"
    )
