"""What the compiled steps run over: some batches, on the device."""

from __future__ import annotations

from typing import Any, NamedTuple


class Chunk(NamedTuple):
    """Arrays on the device and the batches in them: `steps` batches of `size` examples.

    Batch `i` is `order[offset + i·size:]`; without an order, it is the first `size` of row `i` of the arrays. See
    `Distribution.batch`. The first `first` batches are done already. `place` is the place in the data after the chunk,
    where data says it; None for arrays, whose place is the number of steps.
    """

    arrays: Any
    order: Any
    offset: int
    steps: int
    size: int
    first: int = 0
    place: Any = None
