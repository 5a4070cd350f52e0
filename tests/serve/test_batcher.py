"""Requests join, keep their order and their answers, and are refused when too many wait."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from compose.serve.batcher import Batcher
from compose.serve.errors import ServeError


class Recorder:
    """Doubles its input; notes the sizes of batches; waits for `gate`."""

    def __init__(self):
        self.sizes, self.gate, self.begun = [], threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, arrays):
        self.begun.set()
        assert self.gate.wait(10)
        self.sizes.append(len(arrays[0]))
        if (arrays[0] < 0).any():
            raise ValueError("negative")
        return [arrays[0] * 2]


def row(value, count=1):
    return [np.full((count, 1), value)]


async def behind(batcher, recorder, requests):
    """Start a request, and these while it runs; the answers to these."""
    recorder.gate.clear()
    first = asyncio.create_task(batcher(row(0)))
    await asyncio.to_thread(recorder.begun.wait, 10)
    rest = [asyncio.create_task(batcher(request)) for request in requests]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    recorder.gate.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_what_arrives_while_a_batch_runs_is_the_next_batch():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=8)
        answers = await behind(batcher, recorder, [row(i) for i in range(1, 11)])
        assert recorder.sizes == [1, 8, 2]
        assert [int(y[0][0, 0]) for y in answers] == [2 * i for i in range(1, 11)]
        await batcher.close()

    asyncio.run(scenario())


def test_requests_of_several_examples_stay_whole_and_a_large_one_runs_by_itself():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=8)
        answers = await behind(batcher, recorder, [row(1, 5), row(2, 3), row(3, 1), row(4, 20), row(5)])
        assert recorder.sizes == [1, 8, 1, 20, 1]
        assert [y[0].tolist() for y in answers] == [[[2 * v]] * n for v, n in ((1, 5), (2, 3), (3, 1), (4, 20), (5, 1))]
        await batcher.close()

    asyncio.run(scenario())


def test_a_delay_joins_what_arrives_within_it_and_a_full_batch_does_not_wait():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=4, delay=5.0)
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(batcher(row(i)) for i in range(4)))
        assert recorder.sizes == [4] and loop.time() - start < 4
        batcher.delay = 0.02
        await asyncio.gather(batcher(row(1)), batcher(row(2)))
        assert recorder.sizes == [4, 2]
        await batcher.close()

    asyncio.run(scenario())


def test_without_batches_each_request_runs_alone():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=0)
        await behind(batcher, recorder, [row(1), row(2, 3), row(3)])
        assert recorder.sizes == [1, 1, 3, 1]
        await batcher.close()

    asyncio.run(scenario())


def test_too_many_waiting_are_refused_at_once_and_the_others_answered():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=2, queue=3)
        answers = await behind(batcher, recorder, [row(i) for i in range(1, 6)])
        refused = [y for y in answers if isinstance(y, ServeError)]
        assert len(refused) == 2 and {y.status for y in refused} == {503} and refused[0].retry_after >= 1
        assert [int(y[0][0, 0]) for y in answers[:3]] == [2, 4, 6] and batcher.waiting == 0
        assert len((await batcher(row(1, 50)))[0]) == 50  # larger than the queue, but nothing waits
        await batcher.close()

    asyncio.run(scenario())


def test_an_error_is_the_answer_to_its_batch_alone():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=8)
        with pytest.raises(ValueError, match="negative"):
            await batcher(row(-1))
        assert (await batcher(row(3)))[0].tolist() == [[6]]
        await batcher.close()

    asyncio.run(scenario())


def test_a_client_that_leaves_is_not_computed():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=1)
        recorder.gate.clear()
        first = asyncio.create_task(batcher(row(0)))
        await asyncio.to_thread(recorder.begun.wait, 10)
        left, stays = asyncio.create_task(batcher(row(1))), asyncio.create_task(batcher(row(2)))
        await asyncio.sleep(0)
        left.cancel()
        recorder.gate.set()
        assert (await stays)[0].tolist() == [[4]] and (await first)[0].tolist() == [[0]]
        assert recorder.sizes == [1, 1] and batcher.waiting == 0
        await batcher.close()

    asyncio.run(scenario())


def test_closing_answers_those_that_wait_and_refuses_others():
    async def scenario():
        recorder = Recorder()
        batcher = Batcher(recorder, most=2)
        recorder.gate.clear()
        requests = [asyncio.create_task(batcher(row(i))) for i in range(5)]
        await asyncio.to_thread(recorder.begun.wait, 10)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(ServeError, match="unloaded"):
            await batcher(row(9))
        recorder.gate.set()
        await closing
        assert [int((await y)[0][0, 0]) for y in requests] == [0, 2, 4, 6, 8]

    asyncio.run(scenario())


def test_the_watcher_sees_every_batch():
    async def scenario():
        seen = []
        batcher = Batcher(Recorder(), most=4, watch=lambda rows, seconds: seen.append((rows, seconds >= 0)))
        await batcher(row(1, 3))
        assert seen == [(3, True)]
        await batcher.close()

    asyncio.run(scenario())


def test_short_batches_run_at_once_and_long_ones_in_a_thread():
    threads, seconds = [], 0.0

    def run(arrays):
        threads.append(threading.get_ident())
        time.sleep(seconds)
        return list(arrays)

    async def scenario():
        nonlocal seconds
        batcher = Batcher(run, 2)
        for seconds in (0.0, 0.0, 0.1, 0.0):  # noqa: B007  read by `run`
            await batcher(row(1))
        await batcher.close()

    asyncio.run(scenario())
    here = threading.get_ident()
    assert [t == here for t in threads] == [False, True, True, False]  # how long it takes is known afterwards
