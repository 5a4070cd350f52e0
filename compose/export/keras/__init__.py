"""Keras, as source: a functional model that a person could have written, with its weights beside it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.atomic import replacing
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report
from compose.export.source.text import has_doubles

if TYPE_CHECKING:
    import keras

MISSING = "Keras: pip install 'compose-jax[keras]'"


@dataclass(frozen=True, repr=False)
class KerasExport(Exported):
    """A Keras model as text and weights.

    Attributes:
        source: the text of the Python file.
        weights: arrays by the paths of the model's variables.
        report: the proof, or None if it was left out.
    """

    source: str
    weights: dict[str, np.ndarray]
    report: Report | None

    def model(self) -> keras.Model:
        """The model that the file defines, with the weights, in Keras's dtype or in theirs if that is float64."""
        from compose.export.keras.weights import assign, model_of
        from compose.keras.float64 import float64

        with float64() if has_doubles(self.weights) else contextlib.nullcontext():
            model = model_of(self.source)
            assign(model, self.weights)
        return model

    def save(self, path: str | os.PathLike) -> None:
        """Write the file, and its weights beside it as `<name>.weights.h5`, each atomically."""
        beside = Path(path).with_suffix(".weights.h5")
        with tempfile.TemporaryDirectory() as folder:
            held = Path(folder) / beside.name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Keras reads its own variables in NumPy 1's way
                self.model().save_weights(held)
            with replacing(beside) as file:
                file.write(held.read_bytes())
        with replacing(path) as file:
            file.write(self.source.replace("network.weights.h5", beside.name).encode())

    @property
    def title(self) -> str:
        return f"Keras, {self.source.count(chr(10))} lines, {len(self.weights)} arrays"


def to_keras(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | None = None,
    proof: bool = True,
) -> KerasExport:
    """Write a network as Keras source: a function `network()` that makes a functional model, and its weights.

    The model runs on JAX, TensorFlow and PyTorch. Layers are Keras's own where they compute the same, under the names
    of the paths; functions are those of `keras.ops`; a `repeat` is a function and a loop, a layer of a `share` one
    layer that is called several times. What changes data in training alone, such as augmentation, is left out.

    The proof runs the file in float64 at three batch sizes, on the backend that Keras has in this process, and compares
    outputs and the gradients of all parameters.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them; arrays are what the proof runs on.
        path: where to write the file, `net.py`; its weights are written to `net.weights.h5`.
        batch: None for any batch size, or a fixed one.
        proof: whether to run the file and compare.

    Raises `ExportError`, with the path and the expression, for a word that has no rule for Keras, and if the model
    computes something else than the network.
    """
    try:
        import keras  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ExportError(MISSING) from None
    from compose.export.keras.convert import source_of
    from compose.export.keras.prove import KerasRun
    from compose.export.source.prove import proven

    given = arguments(inputs)
    source, weights = source_of(net, params, state, given)
    arrays = {name: np.asarray(array) for name, array in weights.items()}
    report = None
    if proof:
        weights_of = lambda *given: source_of(net, *given)[1]
        report = proven(net, params, state, given, KerasRun(source), weights_of, batch)
    made = KerasExport(source, arrays, report)
    if path is not None:
        made.save(path)
    return made


__all__ = ["KerasExport", "to_keras"]
