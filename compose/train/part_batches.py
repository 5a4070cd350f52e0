"""Batches for the devices of several processes, each of which reads its own rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from compose.train.chunk import Chunk
from compose.train.examples import Examples
from compose.train.over_processes import OverProcesses

CHUNK_BYTES = 32 << 20  # of a process: small enough that reading overlaps with computing, large enough to pay


class PartBatches:
    """The batches of `data`, in the same order as `Batches` has them, laid out over the devices of all processes.

    Every process has all of `data` at hand, such as a file mapped into memory, and reads those rows of each batch that
    its devices compute. Batches that the devices do not divide are padded; what is padded is cut off in the step.
    """

    def __init__(self, data: Examples, batch: int, memory: int, where: OverProcesses):
        self.data, self.batch, self.where, self.put = data, batch, where, where.whole
        self.count, self.steps = data.count, -(-data.count // batch)
        own = max(1, int(data.nbytes * batch / data.count * where.share))
        self.per_chunk = max(1, min(min(memory // 2, CHUNK_BYTES) // own, data.count // batch))

    def epoch(self, seed: int, number: int, skip: int = 0, place: Any = None) -> Iterator[Chunk]:
        """As of `Batches`."""
        return self.chunks(np.random.default_rng([seed, number]).permutation(self.data.count), skip)

    def whole_pass(self) -> Iterator[Chunk]:
        """The chunks of one pass in the order of the examples."""
        return self.chunks(np.arange(self.data.count))

    def chunks(self, order: np.ndarray, skip: int = 0) -> Iterator[Chunk]:
        """The chunks of one epoch with examples in that order, without the first `skip` batches."""
        steps, rest = divmod(len(order), self.batch)
        for first in range(skip // self.per_chunk * self.per_chunk, steps, self.per_chunk):
            last = min(first + self.per_chunk, steps)
            if skip < last:
                table = order[first * self.batch : last * self.batch].reshape(-1, self.batch)
                yield self._chunk(table, self.per_chunk)._replace(first=max(0, skip - first))
        if rest and skip <= steps:
            yield self._chunk(order[steps * self.batch :].reshape(1, rest), 1)

    def _chunk(self, table: np.ndarray, steps: int) -> Chunk:
        """The batches whose rows are those of a table, a row for each; all chunks of an epoch have as many rows."""
        size, more = table.shape[1], steps - len(table)
        table = np.pad(table, ((0, more), (0, -size % self.where.parts)), mode="edge")
        arrays = jax.tree.map(lambda a: self.where.read(a, table), (self.data.x, self.data.y))
        return Chunk(arrays, None, 0, steps - more, size)
