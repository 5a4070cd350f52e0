"""Batches for the compiled steps: from data kept on the device, or streamed from the host in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from compose.train.chunk import Chunk
from compose.train.distribution import ONE_DEVICE, Distribution
from compose.train.examples import Examples
from compose.train.over_processes import OverProcesses
from compose.train.part_batches import PartBatches


class Batches:
    """The batches of `data` in any order; the last one is smaller if the batch size does not divide the data.

    Data of at most `device_bytes` stays on the device. Larger data is gathered on the host, one chunk at a
    time. All chunks have the same shape, so that one executable runs them; the batches do not change. `put` puts arrays
    on the device, or the devices.
    """

    def __init__(self, data: Examples, batch: int, device_bytes: int, put: Callable[[Any], Any] = ONE_DEVICE.whole):
        self.data, self.batch, self.device_bytes, self.put = data, batch, device_bytes, put
        self.count, self.steps = data.count, -(-data.count // batch)
        arrays = (data.x, data.y)
        on_device = all(isinstance(a, jax.Array) for a in jax.tree.leaves(arrays))
        self.resident = put(arrays) if on_device or data.nbytes <= device_bytes else None

    def epoch(self, seed: int, number: int, skip: int = 0, place: Any = None) -> Iterator[Chunk]:
        """The chunks of epoch `number`, from 0, in the order of its seed; without its first `skip` batches."""
        return self.chunks(np.random.default_rng([seed, number]).permutation(self.data.count), skip)

    def whole_pass(self) -> Iterator[Chunk]:
        """The chunks of one pass in the order of the examples."""
        return self.chunks(np.arange(self.data.count))

    def chunks(self, order: np.ndarray, skip: int = 0) -> Iterator[Chunk]:
        """The chunks of one epoch with examples in that order, without the first `skip` batches."""
        steps, rest = divmod(len(order), self.batch)
        if self.resident is not None:
            on_device = self.put(order.astype(np.int32))
            if steps > skip:
                yield Chunk(self.resident, on_device, 0, steps, self.batch, skip)
            if rest and skip <= steps:
                yield Chunk(self.resident, on_device, steps * self.batch, 1, rest)
            return
        per_chunk = self._batches_per_chunk()
        for first in range(skip // per_chunk * per_chunk, steps, per_chunk):
            count = min(per_chunk, steps - first)
            rows = order[first * self.batch : (first + count) * self.batch]
            if skip < first + count:
                gathered = self._gathered(rows, count, self.batch, per_chunk * self.batch)
                yield gathered._replace(first=max(0, skip - first))
        if rest and skip <= steps:
            yield self._gathered(order[steps * self.batch :], 1, rest, rest)

    def _gathered(self, rows: np.ndarray, steps: int, size: int, length: int) -> Chunk:
        padded = np.resize(rows, length)  # a shorter last chunk repeats its rows up to the common length
        arrays = jax.tree.map(lambda a: np.asarray(a[padded]), (self.data.x, self.data.y))
        return Chunk(self.put(arrays), self.put(np.arange(length, dtype=np.int32)), 0, steps, size)

    def _batches_per_chunk(self) -> int:
        batch_bytes = max(1, self.data.nbytes * self.batch // self.data.count)
        fitting = self.device_bytes // (2 * batch_bytes)  # two chunks are alive at a time
        return max(1, min(fitting, self.data.count // self.batch))


def steps_of(data: Any, options: dict[str, Any]) -> int | None:
    """The number of batches in an epoch, for options of `fit`; None if it is not known."""
    return data.steps if not isinstance(data, Examples) else -(-data.count // min(options["batch_size"], data.count))


def batches_of(data: Any, options: dict[str, Any], where: Distribution = ONE_DEVICE) -> Any:
    """The batches of examples, for options of `fit`. A stream is its own. `where` are the devices that use them."""
    if not isinstance(data, Examples):
        return data.over(where)
    batch = min(options["batch_size"], data.count)
    if isinstance(where, OverProcesses):
        return PartBatches(data, batch, options["memory"], where)
    return Batches(data, batch, options["memory"], where.whole)
