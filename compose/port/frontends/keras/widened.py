"""A Keras model again in float64: its configuration with every dtype widened."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.keras.float64 import NARROW
from compose.port.frontends.keras.inlining import functional
from compose.port.frontends.keras.rebuilt import functions_as_they_are, rebuilt
from compose.port.ir.reference import Arrays


def widened(model: Any, arrays: Arrays, inputs: tuple) -> tuple[Any, dict[int, str]]:
    """A copy that computes in float64 on the given weights, and the names of its variables in the original.

    `inputs` are the arguments of its call.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # custom layers that build when they are called
            with functions_as_they_are():
                made = rebuilt(model, _wide)
        if not made.built:
            tensors: Any = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
            made(*tensors)
            if len(model.variables) != len(made.variables):  # layers of a branch that was not taken are not built
                functional(made, inputs)
    except Exception as e:
        raise PortError(f"a model that get_config and from_config can rebuild, to prove it, got {e}") from e
    names: dict[int, str] = {}
    if len(model.variables) != len(made.variables):
        raise PortError(
            "a model that rebuilds alike, to prove it: Keras makes a layer again that is also used outside of the "
            "model it is in; use that model, or its layer, in one place"
        )
    for old, new in zip(model.variables, made.variables, strict=True):
        if old.shape != new.shape:
            raise PortError(f"a model that rebuilds alike, got {old.path} {old.shape} and {new.path} {new.shape}")
        name = _named(names, old.path)
        names[id(new)] = name
        value = arrays[name] if name in arrays else keras.ops.convert_to_numpy(old.value)
        new.assign(np.asarray(value, str(new.dtype)))
    for old, layer in zip(model._flatten_layers(), made._flatten_layers()):
        if getattr(old, "lora_enabled", False):
            layer.lora_alpha = old.lora_alpha  # which Keras forgets when it rebuilds a layer
        if isinstance(layer, keras.layers.Normalization):
            if layer.input_mean is None:
                layer.finalize_state()  # its statistics are read from its variables once
            else:  # TensorFlow makes float32 of a list of numbers
                layer.input_mean, layer.input_variance = map(np.float64, (layer.input_mean, layer.input_variance))
                layer.build(layer._build_input_shape)
    return made, names


def _named(names: dict[int, str], path: str) -> str:
    while path in names.values():
        path += "'"
    return path


def _wide(config: Any) -> Any:
    """The configuration with float64 for every float, and zeros to start from, which compile at once."""
    if isinstance(config, dict):
        return {k: "zeros" if k.endswith("_initializer") and v else _wide(v) for k, v in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_wide(v) for v in config)
    return "float64" if config in NARROW else config
