"""Requests that wait while a batch runs are the next batch."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from compose.serve.errors import ServeError

Arrays = Sequence[np.ndarray]
SHORT = 0.001  # seconds of a batch that runs in the event loop: it reads a request of some kilobytes as long


@dataclass(frozen=True)
class _Request:
    arrays: Arrays
    rows: int
    future: asyncio.Future[list[np.ndarray]]
    at: float


class Batcher:
    """Joins requests to batches, and runs them one after the other: short ones at once, others in a thread of its own.

    A request to an idle model starts at once, or after `delay` seconds in which others may join it. What arrives while
    a batch runs waits for the next one, which takes as many examples as fit, in order.

    Args:
        run: takes the arrays of a batch and returns those of its outputs, with a row for each example.
        most: examples in a batch; a larger request is a batch of its own. 0: every request is.
        delay: seconds to wait for more examples while a batch is not full.
        queue: examples that may wait; a request beyond it raises `ServeError` with status 503.
        watch: called with the examples and the seconds of each batch.
    """

    def __init__(
        self, run: Callable[[Arrays], list[np.ndarray]], most: int, delay: float = 0.0, queue: int = 1024,
        watch: Callable[[int, float], None] = lambda rows, seconds: None,
    ):  # fmt: skip
        self._run, self.most, self.delay, self.queue, self._watch = run, most, delay, queue, watch
        self.waiting = 0
        self._requests: deque[_Request] = deque()
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="compose-serve")
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._seconds = 0.0  # of an example, lately

    async def __call__(self, arrays: Arrays) -> list[np.ndarray]:
        """The outputs for the examples of one request. Raises `ServeError` if too many are waiting."""
        rows, loop = len(arrays[0]), asyncio.get_running_loop()
        self.check(rows)
        if self._task is None:
            self._task = loop.create_task(self._work())
        request = _Request(arrays, rows, loop.create_future(), loop.time())
        self._requests.append(request)
        self.waiting += rows
        self._wake.set()
        return await request.future

    def check(self, rows: int = 1) -> None:
        """Raise `ServeError` if there is no room for so many examples."""
        if self._closing:
            raise ServeError(503, "the model is being unloaded", 1)
        if self.waiting and self.waiting + rows > self.queue:
            seconds = math.ceil(self.waiting * self._seconds)
            raise ServeError(503, "too many requests are waiting", min(max(1, seconds), 60))

    async def close(self) -> None:
        """Answer the requests that wait, and end the thread."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._pool.shutdown(wait=False)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._requests or not self._closing:
            if not self._requests:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._filled()
            batch = self._taken()
            if not batch:
                continue
            short = self._is_short(batch)
            try:
                if short:
                    outputs, seconds = self._timed(batch)
                else:
                    outputs, seconds = await loop.run_in_executor(self._pool, self._timed, batch)
            except Exception as e:  # whatever the network or the device raises is the answer to these requests
                for request in batch:
                    if not request.future.done():
                        request.future.set_exception(e)
            else:
                self._answer(batch, outputs, seconds)
            if short:
                await asyncio.sleep(0)  # the answers go, and what has come is read

    async def _filled(self) -> None:
        """Wait until a batch is full, at most until the first request has waited for `delay`."""
        loop = asyncio.get_running_loop()
        until = self._requests[0].at + self.delay
        while self.waiting < self.most and not self._closing and (left := until - loop.time()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    def _taken(self) -> list[_Request]:
        """The requests of the next batch, in order; not those whose clients have left."""
        batch: list[_Request] = []
        rows = 0
        while self._requests and (not batch or rows + self._requests[0].rows <= self.most):
            request = self._requests.popleft()
            self.waiting -= request.rows
            if not request.future.done():
                batch.append(request)
                rows += request.rows
        return batch

    def _is_short(self, batch: list[_Request]) -> bool:
        """Whether it takes less time than the way to a thread and back is worth, as far as is known."""
        return 0 < self._seconds * sum(request.rows for request in batch) < SHORT

    def _timed(self, batch: list[_Request]) -> tuple[list[np.ndarray], float]:
        start = time.perf_counter()
        inputs = zip(*(request.arrays for request in batch))
        arrays = batch[0].arrays if len(batch) == 1 else [np.concatenate(parts) for parts in inputs]
        return self._run(arrays), time.perf_counter() - start

    def _answer(self, batch: list[_Request], outputs: list[np.ndarray], seconds: float) -> None:
        rows, at = sum(request.rows for request in batch), 0
        self._seconds = 0.9 * (self._seconds or seconds / rows) + 0.1 * seconds / rows
        self._watch(rows, seconds)
        for request in batch:
            part = outputs if len(batch) == 1 else [y[at : at + request.rows] for y in outputs]
            at += request.rows
            if not request.future.done():
                request.future.set_result(part)
