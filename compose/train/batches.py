"""The way of examples to the compiled steps: kept on the device, or streamed from the host in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from compose.train.examples import Examples


class Piece(NamedTuple):
    """Arrays on the device and the batches to take from them: `steps` of `size` examples.

    Batch `i` is `order[offset + i·size:]`; see `over_batches`.
    """

    arrays: Any
    order: Any
    offset: int
    steps: int
    size: int


class Feed:
    """The batches of `data` in any order, the last one smaller where the batch size does not divide.

    What takes at most `memory` bytes stays on the device. The rest is gathered on the host, a piece at a
    time, each of the same shape, so that one executable serves all; the batches are the same ones.
    """

    def __init__(self, data: Examples, batch: int, memory: int):
        self.data, self.batch, self.memory = data, batch, memory
        both = (data.x, data.y)
        on_device = all(isinstance(a, jax.Array) for a in jax.tree.leaves(both))
        self.resident = jax.tree.map(jnp.asarray, both) if on_device or data.nbytes <= memory else None

    def pieces(self, order: np.ndarray) -> Iterator[Piece]:
        """The pieces of one pass in that order."""
        steps, rest = divmod(len(order), self.batch)
        if self.resident is not None:
            on_device = jnp.asarray(order, jnp.int32)
            if steps:
                yield Piece(self.resident, on_device, 0, steps, self.batch)
            if rest:
                yield Piece(self.resident, on_device, steps * self.batch, 1, rest)
            return
        held = self._batches_at_once()
        for first in range(0, steps, held):
            count = min(held, steps - first)
            rows = order[first * self.batch : (first + count) * self.batch]
            yield self._gathered(rows, count, self.batch, held * self.batch)
        if rest:
            yield self._gathered(order[steps * self.batch :], 1, rest, rest)

    def _gathered(self, rows: np.ndarray, steps: int, size: int, length: int) -> Piece:
        filled = np.resize(rows, length)  # a last, shorter piece repeats itself to the length of the others
        arrays = jax.tree.map(lambda a: jnp.asarray(np.asarray(a[filled])), (self.data.x, self.data.y))
        return Piece(arrays, jnp.arange(length, dtype=jnp.int32), 0, steps, size)

    def _batches_at_once(self) -> int:
        each = max(1, self.data.nbytes * self.batch // self.data.count)
        return max(1, min(self.memory // (2 * each), self.data.count // self.batch))  # two pieces live at a time
