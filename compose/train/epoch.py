"""One pass over the data: the compiled steps, called a few at a time so that one can look and stop in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax

from compose.train.chunk import Chunk
from compose.train.compiled import Compiled
from compose.train.scores import Scores

CALL_SECONDS = 0.4  # the target duration of one call: how long the progress bar and Ctrl-C may wait


class StepsPerCall:
    """How many steps to run in one call, adapted to how long they take.

    `clock` gives the seconds that count, of those that a call took here: several processes must run as many steps.
    """

    def __init__(self, clock: Callable[[float], float] = float):
        self.steps, self.clock = 8, clock

    def update(self, steps: int, seconds: float) -> None:
        """Adapt to a call that ran `steps` steps in `seconds`; grow at most fourfold."""
        seconds = self.clock(seconds)
        fitting = int(CALL_SECONDS * steps / max(seconds, 1e-6))
        self.steps = max(1, min(fitting, 4 * self.steps))


class Pass:
    """A pass over chunks of batches, of which each `advance` runs some steps.

    Attributes:
        carry, sums: what the steps update, and the sums of the scores.
        steps, examples: how many are done.
        place: what the last chunk says of its place in the data, see `Chunk.place`.

    `room(sums, y)` gives the sums room for the targets of a chunk, where they grow with data of unknown length.
    """

    def __init__(
        self,
        run: Compiled,
        carry: Any,
        constants: Any,
        chunks: Iterator[Chunk],
        sums: Any,
        steps_per_call: StepsPerCall | None = None,
        compiling: Callable[[], AbstractContextManager] = nullcontext,
        steps: int = 0,
        examples: int = 0,
        room: Callable[[Any, Any], Any] | None = None,
    ):
        self.run, self.carry, self.constants, self.sums = run, carry, constants, sums
        self.steps_per_call, self.compiling = steps_per_call or StepsPerCall(), compiling
        self.steps, self.examples, self.place = steps, examples, None
        self.chunks, self.room = chunks, room
        self._enter(next(chunks, None))

    def _enter(self, chunk: Chunk | None) -> None:
        self.chunk, self.at = chunk, chunk.first if chunk else 0

    def advance(self, most: int | None = None) -> int:
        """Run some steps, `most` at the most; returns how many examples they took, 0 at the end of the data.

        The host prepares the next chunk while the device computes.
        """
        chunk = self.chunk
        if chunk is None:
            return 0
        began = time.perf_counter()
        if self.room is not None:
            self.sums = self.room(self.sums, chunk.arrays[1])
        stop = min(chunk.steps, self.at + min(self.steps_per_call.steps, most or self.steps_per_call.steps))
        batch = chunk.arrays, chunk.order, chunk.offset, self.at, stop
        self.carry, self.sums = self.run(
            self.carry, self.sums, self.constants, *batch, size=chunk.size, compiling=self.compiling
        )
        following = next(self.chunks, None) if stop == chunk.steps else chunk
        jax.block_until_ready(self.sums)
        done = stop - self.at
        self.steps_per_call.update(done, time.perf_counter() - began)
        self.steps += done
        self.examples += done * chunk.size
        self.place, self.at = chunk.place, stop
        if following is not chunk:
            self._enter(following)
        return done * chunk.size


def run_epoch(
    run: Compiled,
    carry: Any,
    constants: Any,
    batches: Any,
    scores: Scores,
    compiling: Callable[[], AbstractContextManager] = nullcontext,
    steps_per_call: StepsPerCall | None = None,
    advance: Callable[[int], None] = lambda examples: None,
) -> tuple[Any, dict[str, Any]]:
    """Run all batches in order. Returns the carry and the scores by name. Compiling happens within `compiling()`.

    `advance` is told how many examples more are done.
    """
    sums = batches.put(scores.start(batches.count or 0))
    chunks, room = batches.whole_pass(), room_for(batches, scores)
    whole = Pass(run, carry, constants, chunks, sums, steps_per_call, compiling, room=room)
    while done := whole.advance():
        advance(done)
    return whole.carry, scores.result(whole.sums, whole.examples)


def room_for(batches: Any, scores: Scores) -> Callable[[Any, Any], Any] | None:
    """What gives sums room for more targets: for data of unknown length, if there are sums that grow with it."""
    if batches.count is not None or not scores.grow:
        return None
    return lambda sums, y: batches.put(scores.with_room(sums, y))
