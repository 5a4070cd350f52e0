"""Lowering for sources that keep channels first: values in our layout, moved only if a layer needs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.ir.weights import Constant, View
from compose.port.lowering.binary import Arithmetic, without_leading_ones
from compose.port.lowering.layout import gathered, groups, reshape_in_place, reshape_to
from compose.port.lowering.values import Value, Weight, channels_last, identity_axes


class LayoutLowering(Arithmetic[Value]):
    """A lowering whose values know how their axes moved.

    Attributes:
        sizes: for each emitted value, its shape in our layout.
    """

    negative: ClassVar[float] = -1
    dropped: ClassVar[frozenset[str]] = frozenset({"add", "multiply"})

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, tuple[int, ...]] = {}

    def result(
        self, inputs: Sequence[Value], shape: Iterable[int] | None, axes: tuple[int, ...] | None = None
    ) -> Value:
        """A new value; by default its axes are those of the first input."""
        first, shape = inputs[0], self.shape if shape is None else tuple(shape)
        unflat = first.unflat if axes is None and shape == first.shape else None
        value = Value(self.new_index(), shape, first.axes if axes is None else axes, unflat)
        self.sizes[value.index] = value.ours
        return value

    # Layout.

    def moved(self, x: Value, axes: tuple[int, ...]) -> Value:
        """The same value in another layout."""
        x = self.whole(x)
        if x.axes == axes:
            return x
        order = tuple(x.axes.index(a) for a in axes)
        return self.emit(word("permute")(*order), x, shape=x.shape, axes=axes)

    def channels_last(self, x: Value) -> Value:
        return self.moved(x, channels_last(x.ndim))

    def as_source(self, x: Value) -> Value:
        return self.moved(x, identity_axes(x.ndim))

    def whole(self, x: Value) -> Value:
        """The value; one that was flattened in our order is flattened again in the source's."""
        if x.unflat is None:
            return x
        inner = x.unflat
        apart = self.emit(word("reshape")(*inner.ours[1:]), x.but(unflat=None), shape=inner.shape, axes=inner.axes)
        return self.emit(word("flatten"), self.as_source(apart), shape=x.shape, axes=identity_axes(x.ndim))

    def reshaped(self, x: Value, after: tuple[int, ...], batch: int, flattens: bool) -> Value:
        """The value reshaped to the source's shape `after`; axes move only if our layout cannot be reshaped in place.

        With `flattens`, a flat value stays in our order until something reads it in the source's.
        """
        x = self.whole(x)
        target = reshape_in_place(x.shape, after, x.axes)
        if target is None and flattens and len(after) == 2 and x.axes[0] == 0:
            return self.emit(word("flatten"), x, shape=after, axes=(0, 1)).but(unflat=x)
        if target is None:
            x = self.moved(x, gathered(x.shape, after, x.axes))
            target = reshape_in_place(x.shape, after, x.axes)
        if target is None:
            x = self.as_source(x)
            target = after, identity_axes(len(after))
        ours, axes = target
        if ours == x.ours:
            return x.but(shape=after, axes=axes)
        if sum(map(self.stands_for_batch, ours)) > 1 and not ours[0] == x.ours[0] == batch:
            x, (ours, axes) = self._batch_first(x, after, batch) or (x, target)
        groups, start = self._shuffled(x, ours)
        if groups:
            return self.emit(word("channel_shuffle")(groups), x.but(index=start), shape=after, axes=axes)
        return self.emit(reshape_to(x.ours, ours, batch, self.stands_for_batch), x, shape=after, axes=axes)

    def _batch_first(self, x: Value, after: tuple[int, ...], batch: int) -> tuple[Value, Any] | None:
        """The value with the batch's axis first, and its reshape in that layout, if the reshape keeps that axis."""
        for left, right in groups(x.shape, after):
            if len(left) == len(right) == 1 and x.shape[left[0]] == batch:
                x = self.moved(x, (left[0], *(a for a in x.axes if a != left[0])))
                target = reshape_in_place(x.shape, after, x.axes)
                return None if target is None else (x, target)
        return None

    def _shuffled(self, x: Value, ours: tuple[int, ...]) -> tuple[int, int]:
        """If a reshape to `ours` ends a channel shuffle: the number of groups, and the index of its input."""
        recent = {op.output: op for op in self.ops[-8:]}
        swap = recent.get(x.index)
        split = recent.get(swap.inputs[0]) if swap else None
        if swap is None or split is None or self.sizes.get(split.inputs[0]) != ours:
            return 0, 0
        *space, groups, n = self.sizes[split.output]
        swaps = swap.layer == word("permute")(*range(len(space)), len(space) + 1, len(space))
        joins = isinstance(split.layer, word("reshape")) and ours == (*space, groups * n)
        return (groups, split.inputs[0]) if swaps and joins else (0, 0)

    def joined(self, operator: str, a: Value, b: Value, shape: tuple[int, ...] | None = None) -> Value:
        """A layer of two values that broadcast; the second moves to the layout of the first."""
        shape, a, b = self.shape if shape is None else shape, self.whole(a), self.whole(b)
        if _one(a, b) or _one(b, a):  # of any layout
            axes = b.axes if _one(a, b) else a.axes
            return self.emit(word(operator), a, b, shape=shape, axes=axes)
        if a.ndim == b.ndim:
            return self.emit(word(operator), a, self.moved(b, a.axes), shape=shape, axes=a.axes)
        return self.emit(
            word(operator), self.as_source(a), self.as_source(b), shape=shape, axes=identity_axes(len(shape))
        )

    def pair(self, operation: str, a: Value, b: Value) -> Value:
        return self.joined(operation, a, b)

    def learned_along(self, operation: str, x: Value, known: Weight | np.ndarray) -> Value:
        """`learned_bias` or `learned_scale` of a weight or array that broadcasts to `x`, laid out as `x` is."""
        x = self.whole(x)
        shape = (1,) * (x.ndim - len(known.shape)) + tuple(known.shape)
        ours = without_leading_ones(tuple(shape[a] for a in x.axes))
        name = "learned_bias" if operation == "add" else "learned_scale"
        layer = word(name)() if ours == (x.ours[-1],) else word(name)(ours)
        return self.emit(layer, x, weights={name.removeprefix("learned_"): laid_out(known, shape, x.axes, ours)})


def _one(a: Value, b: Value) -> bool:
    """Whether one number is joined with a value of more axes."""
    return a.ndim < b.ndim and all(n == 1 for n in a.shape)


def laid_out(known: Weight | np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...], ours: tuple[int, ...]) -> View:
    """How a weight or array is taken: reshaped to `shape`, its axes moved, and reshaped to ours."""
    if not isinstance(known, Weight):
        return Constant(array=np.asarray(known).reshape(shape).transpose(axes).reshape(ours))
    view = known.view
    if view.axes is not None:
        return replace(view, axes=_both_orders(known, shape, axes), shape=ours)
    order = [a for a in axes if shape[a] != 1]
    if order == sorted(order):
        stored = view.shape is None and ours == known.array.shape
        return View(view.source, view.rows, shape=None if stored else ours)
    return View(view.source, view.rows, split=shape, axes=axes, shape=ours)


def _both_orders(known: Weight, shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The transpose of a weight whose axes were moved before, as `shape`, and are moved again.

    Raises `PortError` if it was reshaped in between: then it is no longer one transpose.
    """
    view = known.view
    moves = view.axes or ()
    split = view.split or tuple(known.array.shape[moves.index(a)] for a in range(len(moves)) if view.shape is None)
    before = [a for a in moves if split and split[a] != 1]
    wide = [a for a, n in enumerate(shape) if n != 1]
    if view.flip or not split or [split[a] for a in before] != [shape[a] for a in wide]:
        raise PortError("a parameter in the order of axes in which it is stored")
    moved = [before[wide.index(a)] for a in axes if shape[a] != 1]
    return (*moved, *(a for a, n in enumerate(split) if n == 1))
