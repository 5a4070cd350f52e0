"""A Keras model for inputs of other lengths: its operations once more, on symbolic values of those shapes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

Shapes = list[tuple[int | None, ...]]


def resized(model: Any, shapes: Shapes) -> Any:
    """A functional model with the operations of this one for inputs of these shapes, or itself if they are its own."""
    if [tuple(x.shape) for x in model.inputs] == shapes:
        return model
    pairs = zip(model.inputs, shapes)
    inputs = [keras.Input(batch_shape=shape, dtype=x.dtype, sparse=x.sparse) for x, shape in pairs]
    outputs = model._run_through_graph(inputs)
    return keras.Model(inputs, keras.tree.flatten(outputs))


def is_functional(model: Any) -> bool:
    return hasattr(getattr(model, "_functional", None) or model, "_nodes_by_depth")


def is_open(model: Any) -> bool:
    """Whether a length of an input of a functional model, or of one within it, is open."""
    inner = [one for one in (model, *model._flatten_layers()) if hasattr(one, "_nodes_by_depth")]
    return any(None in x.shape[1:] for one in inner for x in one.inputs)


@contextlib.contextmanager
def nodes_kept(model: Any) -> Iterator[None]:
    """Calls of the model's layers in the `with` block leave no trace in it, such as a second output of a layer."""
    nodes = [n for op in _operations(model) for n in (op._inbound_nodes, op._outbound_nodes)]
    before = [(n, len(n)) for n in nodes]
    try:
        yield
    finally:
        for n, size in before:
            del n[size:]


def _operations(model: Any) -> list[Any]:
    layers = [model, *model._flatten_layers()]
    return [op for one in layers for op in (one, *getattr(one, "operations", ()))]
