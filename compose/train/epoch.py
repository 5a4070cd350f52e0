"""One pass over examples: the compiled steps called in turns short enough to report and to stop between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.train.batches import Feed

TURN = 0.4  # seconds: what a progress bar and Ctrl-C may wait for


class Pace:
    """How many steps to run in one call, learnt from how long they take."""

    def __init__(self):
        self.steps = 8

    def learn(self, steps: int, seconds: float) -> None:
        fitting = int(TURN * steps / max(seconds, 1e-6))
        self.steps = max(1, min(fitting, 4 * self.steps))


def run_pass(
    run: Callable,
    carry: Any,
    constants: Any,
    feed: Feed,
    order: np.ndarray,
    scores: int,
    pace: Pace | None = None,
    report: Callable[[int, np.ndarray], None] = lambda examples, means: None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Any, np.ndarray]:
    """Run every batch of `order`, or those before `stopped()`: the carry and the mean scores.

    The next piece of the data is prepared on the host while the device computes.
    """
    pace = pace or Pace()
    sums, examples = jnp.zeros(scores, float), 0
    pieces = feed.pieces(order)
    piece = next(pieces)
    while piece is not None and not stopped():
        arrays, on_device, offset, todo, size = piece
        start, following = 0, None
        while start < todo and not stopped():
            stop = min(todo, start + pace.steps)
            began = time.perf_counter()
            carry, sums = run(carry, sums, constants, arrays, on_device, offset, start, stop, size=size)
            if stop == todo:
                following = next(pieces, None)
            jax.block_until_ready(sums)
            done, start = stop - start, stop
            pace.learn(done, time.perf_counter() - began)
            examples += done * size
            report(done * size, np.asarray(sums) / examples)
        piece = following
    return carry, np.asarray(sums) / max(examples, 1)
