"""The optimizers of a proof's training steps, again and without memory, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compose.core.errors import PortError
from compose.port.ir.reference import Arrays


def fresh(optimizer: Any) -> Any:
    """An optimizer of TF1, its numbers in float64 in the default graph: it rounds them to float32."""
    made = copy.copy(optimizer)
    for name, value in vars(optimizer).items():
        if isinstance(value, float) and name != "_initial_accumulator_value":
            setattr(made, name, tf.constant(value, tf.float64))
        elif isinstance(value, dict):
            setattr(made, name, {})
    return made


def by_keras(optimizer: Any, arrays: Arrays) -> tuple[Callable[[list], None], dict[str, Any]]:
    """A function that takes gradients and moves variables of Keras, on any backend, and those variables."""
    import keras

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise PortError(f"an optimizer of tf.compat.v1.train or of Keras, got {type(optimizer).__name__}")
    from compose.keras.float64 import float64
    from compose.port.frontends.keras.reference import again

    with float64():
        own = again(optimizer)
        variables = {name: keras.Variable(array, dtype="float64", name="weight") for name, array in arrays.items()}

    def apply(grads: list) -> None:
        with float64():
            own.apply([keras.ops.convert_to_tensor(g) for g in grads], list(variables.values()))

    return apply, variables
