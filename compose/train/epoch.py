"""One epoch: the compiled steps, called a few at a time so that progress is shown and Ctrl-C can stop in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from compose.train.batches import Batches
from compose.train.compiled import Compiled
from compose.train.scores import Scores

CALL_SECONDS = 0.4  # the target duration of one call: how long the progress bar and Ctrl-C may wait


class StepsPerCall:
    """How many steps to run in one call, adapted to how long they take."""

    def __init__(self):
        self.steps = 8

    def update(self, steps: int, seconds: float) -> None:
        """Adapt to a call that ran `steps` steps in `seconds`; grow at most fourfold."""
        fitting = int(CALL_SECONDS * steps / max(seconds, 1e-6))
        self.steps = max(1, min(fitting, 4 * self.steps))


def run_epoch(
    run: Compiled,
    carry: Any,
    constants: Any,
    batches: Batches,
    order: np.ndarray,
    scores: Scores,
    steps_per_call: StepsPerCall | None = None,
    report: Callable[[int, dict[str, float]], None] = lambda examples, scores: None,
    stopped: Callable[[], bool] = lambda: False,
    compiling: Callable[[], AbstractContextManager] = nullcontext,
) -> tuple[Any, dict[str, Any]]:
    """Run the batches of `order` until the end or until `stopped()`. Returns the carry and the scores by name.

    Compiling happens within `compiling()`. The host prepares the next chunk of data while the device computes.
    """
    steps_per_call = steps_per_call or StepsPerCall()
    sums, examples = scores.start(len(order)), 0
    chunks = batches.chunks(order)
    chunk = next(chunks)
    while chunk is not None and not stopped():
        arrays, on_device, offset, steps, size = chunk
        start, following = 0, None
        while start < steps and not stopped():
            stop = min(steps, start + steps_per_call.steps)
            began = time.perf_counter()
            batch = arrays, on_device, offset, start, stop
            carry, sums = run(carry, sums, constants, *batch, size=size, compiling=compiling)
            if stop == steps:
                following = next(chunks, None)
            jax.block_until_ready(sums)
            done, start = stop - start, stop
            steps_per_call.update(done, time.perf_counter() - began)
            examples += done * size
            report(done * size, scores.result(sums, examples, live=True))
        chunk = following
    return carry, scores.result(sums, examples)
