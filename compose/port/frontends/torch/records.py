"""What rules record about a model for later rules and for the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.layer import Layer, as_layer
from compose.core.registry import word
from compose.port.ir.weights import Constant, View
from compose.port.lowering.base import Views
from compose.port.lowering.layout_lowering import LayoutLowering
from compose.port.lowering.values import Value, Weight


class Records(LayoutLowering):
    """A lowering that knows more of weights and values than the values say.

    Attributes:
        exact: buffers that a layer computes and the model rounded to float32, exactly.
        unread: parts of arrays that nothing reads.
        untrained: the arrays with `requires_grad=False`.
        sized: whether a rule left something out because of a size, or wrote places down that depend on one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exact: dict[str, np.ndarray] = {}
        self.unread: list[View] = []
        self.untrained: set[str] = set()
        self.sized = False
        self._gains: dict[str, str] = {}
        self._key_masks: dict[int, Value] = {}
        self._tables: set[str] = set()

    def leave_unread(self, view: View) -> None:
        """Record a part of an array that nothing reads."""
        self.unread.append(view)

    def read_rows(self, weight: Weight, start: int, stop: int) -> None:
        """Record that only these rows of a weight are read."""
        parts = ((0, start), (stop, weight.shape[0]))
        self.unread += [View(weight.view.source, rows=part) for part in parts if part[0] < part[1]]

    def record_gain(self, kernel: Weight, gain: Weight) -> None:
        """Record the gain of a kernel under `weight_norm`."""
        self._gains[kernel.view.source] = gain.view.source

    def record_table(self, table: Weight) -> None:
        """Record the table of an embedding, to which a projection may be tied."""
        self._tables.add(table.view.source)

    def is_table(self, source: str) -> bool:
        """Whether an array is the table of an embedding."""
        return source in self._tables

    def record_key_mask(self, x: Value, mask: Value) -> None:
        """Record that a value is a mask (batch, keys) with axes of length 1 inserted."""
        self._key_masks[x.index] = mask

    def key_mask(self, x: Value) -> Value | None:
        """The mask (batch, keys) that a value was, if it is one with axes of length 1 inserted."""
        return self._key_masks.get(x.index)

    def emit(
        self, layer: Any, *inputs: Value, weights: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None, **options: Any,
    ) -> Value:  # fmt: skip
        """See `Lowering.emit`. A scale or bias is a layer of its own where it trains and the others do not, or not.

        Raises `PortError` for a layer of which only some other arrays train.
        """
        given = {name: w for name, w in (weights or {}).items() if w is not None}
        trains = {name: t for name, t in ((name, self._trained(w)) for name, w in given.items()) if t is not None}
        if not trains or all(trains.values()) or not (any(trains.values()) or state):
            return super().emit(layer, *inputs, weights=weights, state=state, **options)
        layer, apart = as_layer(layer), []
        if state and not trains.get("scale", True) and getattr(layer, "scale", None) is True:
            apart += ["scale", "bias"] if "bias" in trains else ["scale"]
        elif "bias" in trains and getattr(layer, "bias", None) is True:
            apart += ["bias"]
        kept = {name: w for name, w in given.items() if name not in apart}
        if len({trains[name] for name in kept if name in trains}) > 1:
            still = next(given[name] for name in kept if trains.get(name) is False)
            raise PortError(
                f"a {layer.kind} whose arrays all train or none, got requires_grad=False for "
                f"{self._first(still).source!r} alone"
            )
        y = super().emit(layer.but(**dict.fromkeys(apart, False)), *inputs, weights=kept, state=state, **options)
        for name in apart:
            y = super().emit(word(f"learned_{name}")(), y, shape=y.shape, axes=y.axes, weights={name: given[name]})
        return y

    def _first(self, weight: Any) -> View:
        view = self.view(weight)
        return view[0] if isinstance(view, tuple) else view

    def _trained(self, weight: Any) -> bool | None:
        """Whether the source trains an array; None for one that it does not hold."""
        view = self._first(weight)
        return None if isinstance(view, Constant) else view.source not in self.untrained

    def finish(self, layer: Layer, weights: Views, state: Views) -> tuple[Layer, Views]:
        """Wrap the layer in `weight_norm` if its kernel has a gain; freeze it if nothing trains its weights."""
        kernel = weights.get("kernel")
        if isinstance(kernel, View) and kernel.source in self._gains:
            if kernel.split is not None or kernel.flip:
                raise PortError("weight_norm of a kernel of which no axes are joined or reversed")
            gain = View(self._gains[kernel.source], axes=kernel.axes)
            layer, weights = word("weight_norm")(layer, epsilon=0.0), weights | {"weight_norm/kernel": gain}
        views = [t for w in weights.values() for t in (w if isinstance(w, tuple) else (w,))]
        trains = any(not isinstance(t, Constant) and t.source not in self.untrained for t in views)
        done = trains or state or not weights or isinstance(layer, word("frozen"))
        return (layer if done else word("frozen")(layer)), weights
