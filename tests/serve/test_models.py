"""Changed files are reloaded when they are whole; broken ones change nothing."""

from __future__ import annotations

import asyncio
import gc
import shutil

import numpy as np
import pytest

from compose import compose_seq, fc, relu
from compose.core.errors import FileError
from compose.serve.models import Models
from compose.serve.options import Options
from compose.serve.sources import Source
from tests.serve.models import trained

X = np.ones((2, 4), np.float32)
NET = compose_seq(fc(3))


def scenario(run, tmp_path, loaded=lambda: None, **options):
    file = tmp_path / "net.safetensors"
    if not file.exists():
        trained(NET, 4).save(file)
    events = []
    models = Models(
        [Source("net", "1", file)], Options(max_batch=2, reload=0, **options),
        reloaded=lambda source, good: events.append(good), loaded=loaded,
    )  # fmt: skip

    async def main():
        models.read()
        await models.start()
        try:
            await run(models, file, events)
        finally:
            await models.close()

    asyncio.run(main())


async def ask(models, x=X):
    served = models.find("net")
    engine, batcher = served.current()
    (y,) = await served.run(engine, batcher, [x])
    return y


def test_garbage_is_collected_where_models_come_and_go(tmp_path):
    times = []

    async def run(models, file, events):
        assert len(times) == 1
        file.write_bytes(b"not a model")
        await models.look()
        assert len(times) == 1
        trained(NET, 4, seed=1).save(file)
        await models.look()
        assert events == [False, True] and len(times) == 2

    scenario(run, tmp_path, loaded=lambda: times.append(gc.collect()))


def test_a_new_file_is_served_and_a_broken_one_is_not(tmp_path):
    async def run(models, file, events):
        before = await ask(models)
        await models.look()
        assert events == []
        whole = file.read_bytes()
        for broken in (whole[:-4], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"not a model"):
            file.write_bytes(broken)
            await models.look()
            np.testing.assert_array_equal(await ask(models), before)
        assert events == [False] * 4
        await models.look()
        assert len(events) == 4  # once for each change
        file.unlink()
        await models.look()
        np.testing.assert_array_equal(await ask(models), before)
        trained(NET, 4, seed=1).save(file)
        await models.look()
        after = await ask(models)
        assert events[4:] == [True] and np.abs(after - before).max() > 1e-3
        other = trained(compose_seq(fc(8, relu), fc(2)), 6)
        other.save(file)
        await models.look()
        x = np.ones((1, 6), np.float32)
        np.testing.assert_allclose(await ask(models, x), other.predict(x), atol=1e-6)

    scenario(run, tmp_path)


def test_a_request_that_was_read_before_a_reload_is_answered_by_the_network_it_was_read_for(tmp_path):
    async def run(models, file, events):
        served = models.find("net")
        engine, batcher = served.current()
        want = await ask(models)
        waiting = asyncio.create_task(served.run(engine, batcher, [X]))
        trained(compose_seq(fc(8, relu), fc(2)), 6).save(file)
        await models.look()
        np.testing.assert_array_equal((await waiting)[0], want)

    scenario(run, tmp_path)


def test_a_start_falls_back_to_the_copy_that_was_good(tmp_path):
    keep, wanted = tmp_path / "keep", []

    async def first(models, file, events):
        wanted.append(await ask(models))
        file.write_bytes(b"broken")
        await models.look()

    async def again(models, file, events):
        np.testing.assert_array_equal(await ask(models), wanted[0])
        assert file.read_bytes() == b"broken" and (keep / "net@1.safetensors").exists()

    scenario(first, tmp_path, keep=keep)
    scenario(again, tmp_path, keep=keep)
    with pytest.raises(FileError, match=r"net\.safetensors: not a model file"):
        scenario(again, tmp_path)
    shutil.rmtree(keep)
    with pytest.raises(FileError, match=r"/net\.safetensors: not a model file"):
        scenario(again, tmp_path, keep=keep)


def test_a_network_that_cannot_run_leaves_the_others(tmp_path, monkeypatch, caplog):
    from compose.serve.engine import Engine

    trained(NET, 4).save(tmp_path / "net.safetensors")
    good, bad = (Source(name, "1", tmp_path / "net.safetensors") for name in ("good", "bad"))
    models = Models([good, bad], Options(max_batch=1, reload=0))
    models.read()
    broken = models._read[1][1]
    whole = Engine.warm_up

    def warm_up(engine):
        if engine is broken:
            raise RuntimeError("out of memory")
        whole(engine)

    monkeypatch.setattr(Engine, "warm_up", warm_up)

    async def main():
        await models.start()
        assert [served.state for served in models] == ["READY", "UNAVAILABLE"] and not models.ready
        await models.close()

    asyncio.run(main())
    assert "bad@1: cannot be run" in caplog.text
