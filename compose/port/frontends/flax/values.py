"""What flows through the lowering besides constants: computed values, and weights on their way to an operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from compose.port.ir.weights import Take


@dataclass(frozen=True)
class Value:
    """A value that depends on the input, by its number in the graph."""

    index: int
    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class Weight:
    """An array of the model, perhaps turned or reshaped: how it is taken, and its shape as the model sees it.

    `shape` may be wider than what is taken, where the model broadcasts. `places` is how many rows the table has whose
    first rows it is, for positions.
    """

    take: Take
    shape: tuple[int, ...]
    own: tuple[int, ...]
    places: int = 0

    @classmethod
    def whole(cls, name: str, shape: tuple[int, ...]) -> Weight:
        return cls(Take(name), shape, shape)

    def transposed(self, axes: tuple[int, ...]) -> Weight | None:
        if self.take.axes is not None or self.take.shape is not None or self.shape != self.own:
            return None
        letters = "IOHWDT"[: len(axes)]
        note = f"{letters}→{''.join(letters[a] for a in axes)}" if len(axes) > 1 else ""
        moved = tuple(self.own[a] for a in axes)
        return Weight(replace(self.take, axes=axes, note=note), moved, moved)

    def reshaped(self, shape: tuple[int, ...]) -> Weight | None:
        if self.shape != self.own:
            return None
        return Weight(replace(self.take, shape=shape), shape, shape)

    def reshaped_as(self, shape: tuple[int, ...]) -> Take:
        """How it is taken in another shape, whatever it was broadcast to."""
        return replace(self.take, shape=shape)

    def broadcast(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> Weight | None:
        """Spread to `shape`, its own axes at `axes`."""
        if self.shape != self.own:
            return None
        apart = tuple(self.own[axes.index(i)] if i in axes else 1 for i in range(len(shape)))
        take = self.take if apart == self.own else replace(self.take, shape=apart)
        return Weight(take, shape, apart)
