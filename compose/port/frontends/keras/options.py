"""Options of Keras that change what a layer computes or how it trains, whichever layer has them.

What the network cannot do is refused by name; what belongs to the source's loss is noted for the report.
"""

from __future__ import annotations

from typing import Any

import keras

from compose.core.errors import PortError

_REFUSED = {
    "sparse": "dense outputs, sparse=False",
}


def check_options(op: Any) -> None:
    """Raise `PortError` for an option of a layer that has no equal here."""
    if not isinstance(op, keras.Layer):
        return
    for name, wanted in _REFUSED.items():
        if getattr(op, name, None) is True and not isinstance(op, keras.layers.InputLayer):
            raise PortError(wanted)
    for layer in op._flatten_layers():
        mode = getattr(layer, "quantization_mode", None) or getattr(layer.dtype_policy, "quantization_mode", None)
        if mode is not None and not isinstance(layer, keras.layers.Embedding):  # whose table is read as numbers
            raise PortError(
                f"a layer in floating point, got {layer.name} quantised as {mode}: port the model before it"
            )


def check_variables(model: Any) -> None:
    """Raise `PortError` for a weight with a constraint, which training with the network would not keep."""
    for variable in model.trainable_variables:
        constraint = getattr(variable, "constraint", None)
        if constraint is not None:
            raise PortError(
                f"weights without constraints, got {type(constraint).__name__} of {variable.path}: set "
                "variable.constraint = None before, and project the weight after each step of training"
            )


def training_notes(model: Any) -> tuple[str, ...]:
    """What the model adds to its loss, and where it computes with fewer digits."""
    notes = []
    for variable in model.trainable_variables:
        penalty = getattr(variable, "regularizer", None)
        if penalty is not None:
            notes.append(f"in training the source's loss has a penalty {_said(penalty)} of {variable.path}")
    for layer in model._flatten_layers():
        penalty = getattr(layer, "activity_regularizer", None)
        if penalty is not None:
            notes.append(f"in training the source's loss has a penalty {_said(penalty)} of what {layer.name} makes")
    narrow = sorted({layer.compute_dtype for layer in model._flatten_layers()} & {"float16", "bfloat16"})
    notes += [f"the source computes in {dtype}; here cast(net, {dtype}) does" for dtype in narrow]
    return tuple(notes)


def _said(penalty: Any) -> str:
    options = ", ".join(f"{k}={v:.6g}" for k, v in penalty.get_config().items() if isinstance(v, float))
    return f"{type(penalty).__name__}({options})"
