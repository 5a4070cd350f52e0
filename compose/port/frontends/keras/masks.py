"""The masks that a Keras model's layers get as it runs, which are not all those that its graph was built with.

Keras's `MultiHeadAttention` takes the mask off its inputs when it runs, so that whatever reads them later has none.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras

Masks = dict[str, Any]


class RunMasks:
    """One functional model, run through in Keras's order: the keyword arguments of each node, masks included."""

    def __init__(self, model: Any):
        self.given: dict[int, dict[str, Any]] = {}
        self.now: dict[int, Any] = {}  # what hangs on a value now, where that is not what the graph says
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._run(node)

    def _mask(self, tensor: Any) -> Any:
        return self.now.get(id(tensor), getattr(tensor, "_keras_mask", None))

    def _run(self, node: Any) -> None:
        made = keywords(node, self._mask)
        self.given[id(node)] = made
        if not isinstance(node.operation, keras.Layer):
            return
        if any(self._mask(t) is not getattr(t, "_keras_mask", None) for t in node.input_tensors):
            self._follow(node, made)
        if type(node.operation).__name__ == "MultiHeadAttention":
            self.now.update((id(t), None) for t in node.input_tensors)

    def _follow(self, node: Any, given: dict[str, Any]) -> None:
        """The masks of what a layer makes of values that lost theirs."""
        layer, first = node.operation, next(iter([*node.arguments.args, *node.arguments.kwargs.values()]))
        mask = given.get("mask")
        mask = keras.tree.map_structure(self._mask, first) if mask is None else mask
        known = layer.supports_masking and any(m is not None for m in keras.tree.flatten(mask))
        after = given.get("query_mask") if "query_mask" in given else layer.compute_mask(first, mask) if known else None
        for tensor, found in zip(node.output_tensors, [*keras.tree.flatten(after), *[None] * len(node.outputs)]):
            self.now[id(tensor)] = found


def keywords(node: Any, mask_of: Any) -> dict[str, Any]:
    """The keyword arguments of a call, with the masks that Keras takes from the values as it runs."""
    op, given = node.operation, dict(node.arguments.kwargs)
    if not isinstance(op, keras.Layer):
        return given
    signature = inspect.signature(op.call)
    bound = signature.bind(*node.arguments.args, **given).arguments
    tensors = [k for k, v in bound.items() if any(isinstance(t, keras.KerasTensor) for t in keras.tree.flatten(v))]
    for name in tensors:
        key = "mask" if len(tensors) == 1 else f"{name}_mask"
        if key in signature.parameters and given.get(key) is None:
            given[key] = keras.tree.map_structure(mask_of, bound[name])
    return given
