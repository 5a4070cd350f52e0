"""Values in a graph that depend on no data: numbers, sizes, and what is computed of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

_OF_SHAPES = {
    "Shape": lambda shape: shape,
    "Size": lambda shape: np.prod(shape),
    "Rank": lambda shape: len(shape),
    "ZerosLike": np.zeros,
    "OnesLike": np.ones,
}


class Known:
    """The constants of a graph of TensorFlow, evaluated where they are asked for."""

    def __init__(self, graph: Any):
        self.graph = graph
        self.session = tf.compat.v1.Session(graph=graph)
        self.values: dict[str, np.ndarray | None] = {}

    def value(self, tensor: Any) -> np.ndarray | None:
        """None for what depends on data, or on sizes that are open."""
        if tensor.name not in self.values:
            self.values[tensor.name] = self._evaluated(tensor)
        return self.values[tensor.name]

    def _evaluated(self, tensor: Any) -> np.ndarray | None:
        op = tensor.op
        if op.type == "Const":
            return tf.make_ndarray(op.get_attr("value"))
        if op.type in _OF_SHAPES and op.inputs[0].shape.is_fully_defined():
            made = _OF_SHAPES[op.type](tuple(op.inputs[0].shape.as_list()))
            return np.asarray(made, tensor.dtype.as_numpy_dtype)
        if not op.inputs or tensor.dtype in (tf.resource, tf.variant):
            return None
        feeds = {}
        for t in op.inputs:
            feeds[t] = self.value(t)
            if feeds[t] is None:
                return None
        return np.asarray(self.session.run(tensor, feeds))

    def close(self) -> None:
        self.session.close()
