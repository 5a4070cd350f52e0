"""All models of a service: loading, looking for changed files, finding one by name and version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

from compose.core.errors import ComposeError
from compose.serve.engine import Engine
from compose.serve.errors import ServeError
from compose.serve.options import Options
from compose.serve.served import Served
from compose.serve.sources import Source, age

logger = logging.getLogger("compose.serve")


class Models:
    """The models of a service, each in one or more versions.

    Args:
        sources: the files with their names and versions.
        options: the limits of the service.
        watch: called with the source, the examples and the seconds of each batch.
        reloaded: called with the source and whether it worked, after a changed file was read.
        loaded: called, in a thread, after a model was compiled, and after another one was replaced.
    """

    def __init__(
        self, sources: Sequence[Source], options: Options,
        watch: Callable[[Source, int, float], None] = lambda source, rows, seconds: None,
        reloaded: Callable[[Source, bool], None] = lambda source, good: None,
        loaded: Callable[[], None] = lambda: None,
    ):  # fmt: skip
        self.options, self._reloaded, self._loaded = options, reloaded, loaded
        self._models: dict[str, dict[str, Served]] = {}
        self._read: list[tuple[Served, Engine]] = []
        self._watcher: asyncio.Task[None] | None = None
        for source in sources:
            count = lambda rows, seconds, source=source: watch(source, rows, seconds)
            self._models.setdefault(source.name, {})[source.version] = Served(source, options, count)

    def __iter__(self) -> Iterator[Served]:
        """Every version of every model, the newest version of each last."""
        for versions in self._models.values():
            yield from (versions[v] for v in sorted(versions, key=age))

    def versions(self, name: str) -> list[str]:
        """The versions of a model, the newest last. Raises `ServeError`."""
        if name not in self._models:
            raise ServeError(404, f"no model {name[:80]!r}")
        return sorted(self._models[name], key=age)

    def find(self, name: str, version: str | None = None) -> Served:
        """A version of a model, or its newest. Raises `ServeError`."""
        versions = self.versions(name)
        if version is not None and version not in versions:
            raise ServeError(404, f"no version {version[:40]!r} of the model {name!r}")
        return self._models[name][version or versions[-1]]

    @property
    def ready(self) -> bool:
        return all(served.state == "READY" for served in self)

    def read(self) -> None:
        """Read every file. Raises `FileError` if one is broken and there is no good copy of it."""
        self._read = [(served, served.read_first()) for served in self]

    def compile(self) -> list[Engine]:
        """Compile what `read` found, before `start`, which does it otherwise. Raises what the compiler does."""
        for served, engine in self._read:
            served.prepare(engine)
        return [engine for _, engine in self._read]

    async def start(self) -> None:
        """Compile what `read` found, model by model, then look for changed files until `close`."""
        for served, engine in self._read:
            try:
                if engine.independent is None:
                    await asyncio.to_thread(served.prepare, engine)
            except Exception:  # of the device or the compiler: the other models are served nevertheless
                served.state = "UNAVAILABLE"
                logger.exception("%s: cannot be run", served.source)
                continue
            await asyncio.to_thread(self._loaded)
            await served.start(engine)
            logger.info("%s: ready", served.source)
        self._read = []
        if self.options.reload:
            self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Answer what waits, and stop."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await asyncio.gather(*(served.close() for served in self))

    async def look(self) -> None:
        """Reload the files that changed. One that is broken leaves the model as it is, until it changes again."""
        for served in self:
            now = await asyncio.to_thread(served.now)
            if now is not None and now != served.stamp:
                await self._reload(served)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.options.reload)
            await self.look()

    async def _reload(self, served: Served) -> None:
        try:
            engine = await asyncio.to_thread(served.read)
            await asyncio.to_thread(served.prepare, engine)
        except Exception as e:  # files are not trusted, and layers may raise anything
            known = isinstance(e, (ComposeError, OSError))
            logger.error("%s: not reloaded: %s", served.source, e, exc_info=None if known else e)
            self._reloaded(served.source, False)
            return
        await served.start(engine)
        await asyncio.to_thread(self._loaded)
        logger.info("%s: reloaded", served.source)
        self._reloaded(served.source, True)
