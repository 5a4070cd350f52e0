"""What flows through the lowering: computed values with their layout, weights, and constants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from compose.core.errors import PortError
from compose.port.ir.weights import Take

BATCH = 7919  # stands for the batch in every size: a prime that no layer has, so that sizes stay plain ints


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the input.

    Attributes:
        index: its number in the graph.
        shape: the source's shape.
        axes: ours is `source.transpose(axes)`.
        unflat: the value before `flatten`, for its shape and axes, where ours joined them in another order.
    """

    index: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    unflat: Value | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def ours(self) -> tuple[int, ...]:
        """Our shape."""
        return tuple(self.shape[a] for a in self.axes)

    def axis(self, source_axis: int) -> int:
        """Where one of the source's axes is in ours."""
        return self.axes.index(source_axis % self.ndim)

    def but(self, **changes) -> Value:
        return replace(self, **changes)


class Pending:
    """A result that becomes a value only where it is read, or a part of it."""

    def value(self) -> Value:
        """All of it. Raises `PortError` where it cannot be had."""
        raise PortError("a part of this result that can be read from the outputs")


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer, perhaps reshaped on the way: how it is taken, and its shape as the source sees it."""

    take: Take
    shape: tuple[int, ...]
    array: Any
    trained: bool

    def turned(self, order: tuple[int, ...]) -> Weight:
        """With its axes in another order."""
        take, array = turned(self.take, self.shape, order), self.array.transpose(order)
        return replace(self, take=take, shape=array.shape, array=array)


def turned(take: Take, shape: tuple[int, ...], order: tuple[int, ...]) -> Take:
    """What takes the same with its axes, which have this shape, in another order."""
    if take.axes is None:
        return replace(take, split=shape if take.shape else take.split, axes=order, shape=None)
    if take.shape is not None or take.flip:
        raise PortError("a parameter whose axes are moved before it is reshaped, got the other way")
    return replace(take, axes=tuple(take.axes[a] for a in order))


def identity_axes(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The axes of our layout for (batch, channels, *space)."""
    return (0, *range(2, rank), 1)
