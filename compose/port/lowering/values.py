"""What flows through a lowering: values that depend on the input, and weights on their way to a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from compose.core.errors import PortError
from compose.port.ir.weights import Constant, View

BATCH = 7919  # the batch size during lowering: a prime that no layer has, so that sizes stay plain ints


@dataclass(frozen=True)
class GraphValue:
    """A tensor that depends on the input.

    Attributes:
        index: its number in the graph.
        shape: the source's shape.
    """

    index: int
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def made(self) -> tuple[int, ...]:
        """The shape that its layer makes, where the source's is one that it is broadcast to."""
        return self.shape

    def but(self, **changes: Any) -> Self:
        """The same value with other attributes."""
        return replace(self, **changes)


@dataclass(frozen=True)
class GraphWeight:
    """An array of the source, possibly reshaped or transposed.

    Attributes:
        take: how it is taken from the source's arrays.
        shape: its shape as the source uses it.
        trained: whether the source trains it.
    """

    view: View
    shape: tuple[int, ...]
    trained: bool = True

    def reshaped_view(self, shape: tuple[int, ...]) -> View:
        """How the same array is taken in another shape."""
        if isinstance(self.view, Constant):
            return Constant(array=self.view.array.reshape(shape))
        return replace(self.view, shape=shape)


Known = GraphWeight | np.ndarray | float  # what an operator may have beside a value
Operand = GraphValue | Known


@dataclass(frozen=True)
class Value(GraphValue):
    """A value whose axes may have moved.

    Attributes:
        axes: our layout is `source.transpose(axes)`.
        unflat: the value before `flatten`, if that joined its axes in another order than the source.
    """

    axes: tuple[int, ...]
    unflat: Value | None = None

    @property
    def ours(self) -> tuple[int, ...]:
        """The shape in our layout."""
        return tuple(self.shape[a] for a in self.axes)

    def axis(self, source_axis: int) -> int:
        """The position of one of the source's axes in our layout. Raises `PortError` for a number, which has none."""
        if not self.axes:
            raise PortError("a value with axes, got one number")
        return self.axes.index(source_axis % self.ndim)


class Pending:
    """A result that becomes a value only when a rule reads it, or reads a part of it."""

    def value(self) -> Value:
        """The value. Raises `PortError` if only parts of it can be read."""
        raise PortError("a part of this result that can be read from the outputs")


@dataclass(frozen=True)
class Weight(GraphWeight):
    """A parameter or buffer whose array is known.

    Attributes:
        array: its numbers.
        places: for rows of a table of positions, one after the other, how many rows the table has from their first on.
    """

    array: Any = None
    places: int = 0

    @classmethod
    def of(cls, view: View, array: np.ndarray, trained: bool = True) -> Weight:
        return cls(view, tuple(array.shape), trained, array)

    def turned(self, order: tuple[int, ...]) -> Weight:
        """The weight with its axes in another order."""
        view, array = turned(self.view, self.shape, order), self.array.transpose(order)
        return replace(self, view=view, shape=array.shape, array=array)


@dataclass(frozen=True)
class BroadcastWeight(GraphWeight):
    """A weight that the source may broadcast, which is left undone here.

    Attributes:
        own: its shape before it was broadcast to `shape`.
        places: for the first rows of a table of positions, how many rows the table has.
    """

    own: tuple[int, ...] = ()
    places: int = 0

    @classmethod
    def stored(cls, name: str, shape: tuple[int, ...], trained: bool = True) -> BroadcastWeight:
        """An array as the source stores it."""
        return cls(View(name), shape, trained, shape)

    def taken(self, view: View, shape: tuple[int, ...], own: Any = None, places: int = 0) -> BroadcastWeight:
        """Another part or shape of the same array."""
        return replace(self, view=view, shape=shape, own=shape if own is None else own, places=places)

    def transposed(self, axes: tuple[int, ...]) -> BroadcastWeight | None:
        """The weight with its axes in another order; None if it was transposed, reshaped or broadcast before."""
        if self.view.axes is not None or self.view.shape is not None or self.shape != self.own:
            return None
        letters = "IOHWDT"[: len(axes)]
        note = f"{letters}→{''.join(letters[a] for a in axes)}" if len(axes) > 1 else ""
        return self.taken(replace(self.view, axes=axes, note=note), tuple(self.own[a] for a in axes))

    def reshaped(self, shape: tuple[int, ...]) -> BroadcastWeight | None:
        """The weight in another shape; None if it was broadcast before."""
        return None if self.shape != self.own else self.taken(replace(self.view, shape=shape), shape)

    def broadcast(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> BroadcastWeight | None:
        """The weight broadcast to `shape`, its own axes at `axes`; None if it was broadcast before."""
        if self.shape != self.own:
            return None
        own = tuple(self.own[axes.index(i)] if i in axes else 1 for i in range(len(shape)))
        return self.taken(self.view if own == self.own else replace(self.view, shape=own), shape, own)


def turned(view: View, shape: tuple[int, ...], order: tuple[int, ...]) -> View:
    """The `View` whose result, of this shape, has its axes in another order."""
    if view.axes is None:
        return replace(view, split=shape if view.shape else view.split, axes=order, shape=None)
    if view.shape is not None or view.flip:
        raise PortError("a parameter whose axes are moved before it is reshaped, got the other way")
    return replace(view, axes=tuple(view.axes[a] for a in order))


def identity_axes(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The axes of our layout for (batch, channels, *space)."""
    return (0, *range(2, rank), 1)
