"""A Keras model as the proof needs it: in float64, on given weights, on the backend it runs on."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from compose.keras.backend import backend
from compose.keras.float64 import float64
from compose.port.frontends.keras.inlining import functional
from compose.port.frontends.keras.widened import widened
from compose.port.ir.graph import SourceGraph
from compose.port.ir.reference import Arrays, Gradients
from compose.port.proof.reference import cotangents


class KerasModel:
    """See `compose.port.ir.reference.Reference`."""

    def __init__(self, model: Any, examples: tuple, graph: SourceGraph):
        self.model, self.graph, self.form = model, graph, examples
        self.examples = [np.asarray(x) for x in keras.tree.flatten(examples)]

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def packed(self, inputs: list) -> tuple:
        """Flat inputs as the arguments of the model's call."""
        return keras.tree.pack_sequence_as(self.form, inputs)

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        with float64():
            given = self.packed(inputs)
            model, _ = widened(self.model, arrays, given)
            return backend().outputs(model, given)

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients:
        with float64():
            model, names = widened(self.model, arrays, self.packed(inputs))
            outputs, inner, weights = backend().gradients(model, inputs, self.packed, lambda ys: cotangents(ys, seed))
        trained = [names[id(v)] for v in model.trainable_variables]
        return Gradients(outputs, inner, {n: g for n, g in zip(trained, weights) if n in arrays})

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        after: list[Arrays] = []
        with float64():
            model, names = widened(self.model, arrays, self.packed(inputs))
            for layer in model._flatten_layers():
                for rate in ("rate", "dropout", "recurrent_dropout", "stddev"):
                    if isinstance(vars(layer).get(rate), float):
                        setattr(layer, rate, 0.0)
                if type(layer).__name__.startswith("Random"):
                    layer.call = lambda x, **_: x
            targets = lambda ys: cotangents(ys, seed)
            for _ in backend().train(model, self.packed(inputs), targets, again(optimizer), counts):
                values = {names[id(v)]: keras.ops.convert_to_numpy(v.value) for v in model.variables if id(v) in names}
                after.append({name: np.array(values[name]) for name in arrays})
        return after

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[Any]:
        with float64():
            model, _ = widened(self.model, arrays, self.packed(inputs))
            flat = functional(model, self.form)
            nodes = [node for depth in flat._nodes_by_depth.values() for node in depth]
            tensors = [t for node in nodes for t in node.output_tensors]
            watched = keras.Model(flat.inputs, tensors)
            return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(watched(inputs, training=False))]

    def default_optimizer(self) -> Any:
        return keras.optimizers.SGD(0.01, momentum=0.9)


def again(optimizer: Any) -> Any:
    """A new optimizer like this one, without its memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras reads its own variables in NumPy 1's way
        return type(optimizer).from_config(optimizer.get_config())
