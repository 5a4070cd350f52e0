"""Lowering for TensorFlow: reshapes wait until something reads their shape, and moves of axes are joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.frontends.tensorflow.analysis import Facts
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.weights import Constant, View
from compose.port.lowering.repeated import Repeating
from compose.port.lowering.unsupported import NoValue


class WaitingLowering(Repeating[Value]):
    """A lowering whose values may differ from the source's by a reshape.

    Attributes:
        facts: what is known of the graph.
        env: what each tensor of the graph is, by name.
    """

    def __init__(self, facts: Facts, batch: int) -> None:
        super().__init__()
        self.facts, self.batch = facts, batch
        variables = facts.variables.items()
        self.env: dict[str, Any] = {t: Weight(View(v.name), tuple(v.array.shape), v.trained) for t, v in variables}
        self._permuted: dict[int, tuple[Value, tuple[int, ...]]] = {}

    def any_trains(self, layer: Layer, weights: Mapping[str, Weight]) -> bool:
        if len({weight.trained for weight in weights.values()}) > 1:
            raise PortError(f"all variables of {layer} with trainable=True, or none")
        return super().any_trains(layer, weights)

    def result(self, inputs: Sequence[Value], shape: Iterable[int] | None, ours: Iterable[int] | None = None) -> Value:
        """A new value. `ours` is its shape here, where that is not the source's."""
        shape = self.shape if shape is None else tuple(shape)
        return Value(self.new_index(), shape, shape if ours is None else tuple(ours))

    def each(self, layer: Any, x: Any) -> Value:
        """Apply a layer that maps each element, before the last permutation if there was one."""
        if isinstance(x, Value) and x.index in self._permuted and x.ours == x.shape:
            before, axes = self._permuted[x.index]
            return self.permuted(self.emit(layer, before, shape=before.shape), axes)
        return self.along(layer, x)

    def behind(self, *values: Value) -> tuple[list[Value], tuple[int, ...]] | None:
        """The values before their axes were permuted, and how; those that were not are permuted back.

        None if none was permuted, or if their ranks differ.
        """
        found = next((self._permuted[v.index] for v in values if v.index in self._permuted), None)
        if found is None or any(v.ndim != len(found[1]) for v in values):
            return None
        back = tuple(int(a) for a in np.argsort(found[1]))
        return [self.permuted(v, back) for v in values], found[1]

    def along(self, layer: Any, x: Value, weights: Any = None) -> Value:
        """Apply a layer that keeps all axes but the last; a reshape that waits goes on waiting."""
        if (
            not isinstance(x, Value)
            or x.ours == x.shape
            or x.ours[-1] != x.shape[-1]
            or self.shape[:-1] != x.shape[:-1]
        ):
            return self.emit(layer, self.whole(x), weights=weights)
        return self.emit(layer, x, ours=(*x.ours[:-1], self.shape[-1]), weights=weights)

    def whole(self, x: Any) -> Value:
        """A value in the source's shape."""
        if isinstance(x, Weight) and not isinstance(x.view, Constant):
            name = x.view.source
            raise NoValue(f"values that depend on the input, got a variable, {name}", name)
        if not isinstance(x, Value):
            raise PortError("values that depend on the input, got a number")
        return x if x.ours == x.shape else self.emit(self.reshaping(x.ours, x.shape), x, shape=x.shape)

    def reshaping(self, before: tuple[int, ...], after: tuple[int, ...]) -> Any:
        """The layer that reshapes, for any batch size."""
        batch = self.batch
        if before[:1] == after[:1] == (batch,):
            flat = len(after) == 2 < len(before)
            return word("flatten") if flat else word("reshape")(*after[1:])
        free = [-1 if n % batch == 0 and batch > 1 else n for n in after]
        if free.count(-1) > 1:
            raise PortError(f"a reshape with the batch in one axis, got {before} to {after}")
        return word("reshape")(*free, batch=False)

    def permuted(self, x: Value, axes: tuple[int, ...]) -> Value:
        """A value with its axes in another order; two permutations become one."""
        x, axes = self.whole(x), tuple(axes)
        if x.index in self._permuted:
            x, before = self._permuted[x.index]
            axes = tuple(before[a] for a in axes)
        if axes == tuple(range(x.ndim)):
            return x
        output = self.emit(word("permute")(*axes), x, shape=(x.shape[a] for a in axes))
        self._permuted[output.index] = x, axes
        return output

    def permutation(self, x: Value) -> tuple[Value, tuple[int, ...]] | None:
        """What a value was before its axes were permuted, and how; None if they were not."""
        return self._permuted.get(x.index)
