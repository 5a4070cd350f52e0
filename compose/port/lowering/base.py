"""Emitting layers while keeping track of layout: what every front end that reads tensors does alike."""

from __future__ import annotations

from typing import Any

from compose.core.layer import Layer, as_layer
from compose.core.registry import word
from compose.port.ir.graph import Op
from compose.port.ir.weights import Take
from compose.port.lowering.layout import gathered, reshape_in_place, reshape_to
from compose.port.lowering.values import Value, Weight, channels_last, identity_axes


class Layers:
    """The layers emitted so far. A front end adds the walk, `shape` and `place`; rules call the methods here."""

    def __init__(self):
        self.ops: list[Op] = []
        self.sizes: dict[int, tuple[int, ...]] = {}  # our shape of each value that was emitted
        self.count = 0

    @property
    def shape(self) -> Any:
        """The source's shape of the node that is being lowered."""
        raise NotImplementedError

    def place(self) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """Of that node: the names of the modules around it, their classes, and the user's line."""
        raise NotImplementedError

    def emit(
        self, layer: Any, *inputs: Value, shape: Any = None, axes: Any = None, weights: Any = None, state: Any = None
    ) -> Value:
        """Apply a layer: a new value. Its axes are those of the first input, its shape the node's, unless given."""
        made = Value(self.number(), self.shape if shape is None else shape, inputs[0].axes if axes is None else axes)
        if axes is None and made.shape == inputs[0].shape:
            made = made.but(unflat=inputs[0].unflat)
        self.sizes[made.index] = made.ours
        takes = lambda tree: {k: _take(w) for k, w in (tree or {}).items() if w is not None}
        reads = tuple(v.index for v in inputs)
        given = [w for w in (weights or {}).values() if w is not None]
        if given and all(isinstance(w, Weight) and not w.trained for w in given):
            layer = word("frozen")(as_layer(layer))
        layer, taken = self.finished(as_layer(layer), takes(weights), takes(state))
        self.ops.append(Op(layer, reads, made.index, taken, takes(state), *self.place()))
        return made

    def finished(self, layer: Layer, weights: dict[str, Take], state: dict[str, Take]) -> tuple[Layer, dict[str, Take]]:
        """A layer that a rule made with how its weights are taken, and what else the front end knows of these."""
        return layer, weights

    def number(self) -> int:
        """One that no value has yet."""
        self.count += 1
        return self.count - 1

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
        """A value flattened in our order as the source flattens it: the axes are moved before."""
        if x.unflat is None:
            return x
        inner = x.unflat
        apart = self.emit(word("reshape")(*inner.ours[1:]), x.but(unflat=None), shape=inner.shape, axes=inner.axes)
        return self.emit(word("flatten"), self.as_source(apart), shape=x.shape, axes=identity_axes(x.ndim))

    def reshaped(self, x: Value, after: tuple[int, ...], batch: int, flattens: bool) -> Value:
        """A value of the source's shape `after`, moved first only where our layout cannot follow.

        With `flattens` a flat one stays in our order, until something reads it in the source's.
        """
        x = self.whole(x)
        found = reshape_in_place(x.shape, after, x.axes)
        if found is None and flattens and len(after) == 2 and x.axes[0] == 0:
            return self.emit(word("flatten"), x, shape=after, axes=(0, 1)).but(unflat=x)
        if found is None:
            x = self.moved(x, gathered(x.shape, after, x.axes))
            found = reshape_in_place(x.shape, after, x.axes)
        if found is None:
            x = self.as_source(x)
            found = after, identity_axes(len(after))
        ours, axes = found
        if ours == x.ours:
            return x.but(shape=after, axes=axes)
        groups, start = self._shuffled(x, ours)
        if groups:
            return self.emit(word("channel_shuffle")(groups), x.but(index=start), shape=after, axes=axes)
        return self.emit(reshape_to(x.ours, ours, batch), x, shape=after, axes=axes)

    def _shuffled(self, x: Value, ours: tuple[int, ...]) -> tuple[int, int]:
        """Where a reshape to `ours` ends a shuffle of channels: their groups, and the value that it starts from."""
        made = {op.output: op for op in self.ops[-8:]}
        turn = made.get(x.index)
        apart = made.get(turn.inputs[0]) if turn else None
        if turn is None or apart is None or self.sizes.get(apart.inputs[0]) != ours:
            return 0, 0
        *space, groups, n = self.sizes[apart.output]
        swaps = turn.layer == word("permute")(*range(len(space)), len(space) + 1, len(space))
        whole = isinstance(apart.layer, word("reshape")) and ours == (*space, groups * n)
        return (groups, apart.inputs[0]) if swaps and whole else (0, 0)

    def joined(self, operator: str, a: Value, b: Value) -> Value:
        """Two values that broadcast, joined element by element; the second moves to the first one's layout."""
        shape, a, b = self.shape, self.whole(a), self.whole(b)
        if a.ndim == b.ndim:
            return self.emit(word(operator), a, self.moved(b, a.axes), shape=shape, axes=a.axes)
        return self.emit(
            word(operator), self.as_source(a), self.as_source(b), shape=shape, axes=identity_axes(len(shape))
        )


def _take(weight: Any) -> Take:
    return weight.take if isinstance(weight, Weight) else weight
