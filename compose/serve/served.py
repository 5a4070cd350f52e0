"""One version of a model: its file, the engine that runs it, and the change from one to the next."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from compose.core.errors import ComposeError, FileError
from compose.serve.batcher import Batcher
from compose.serve.engine import Engine
from compose.serve.errors import ServeError
from compose.serve.options import Options
from compose.serve.sources import Source
from compose.train.load import load

logger = logging.getLogger("compose.serve")


class Served:
    """A version of a model.

    `read` and `prepare` take long and belong in a thread; `start` and `close` belong in the event loop.

    Attributes:
        source: its name, version and file.
        engine: the engine that answers; None until it is ready.
        state: `"LOADING"`, `"READY"` or `"UNAVAILABLE"`, as the protocol says it.
        waiting: examples that wait.
    """

    def __init__(self, source: Source, options: Options, watch: Callable[[int, float], None] = lambda rows, s: None):
        self.source, self.options, self._watch = source, options, watch
        self.engine: Engine | None = None
        self.batcher: Batcher | None = None
        self.state = "LOADING"
        self.stamp: tuple[int, ...] | None = None

    def read(self) -> Engine:
        """An engine of the file as it is now, not warm yet. Raises `FileError` unless every byte of it is intact.

        With a folder for copies, what is read is a copy that nobody else writes to, and becomes the kept one in
        `prepare`.
        """
        self.stamp = self.now()
        if self._kept is None:
            return self._engine(self.source.file)
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self.source.file, self._draft)
            return self._engine(self._draft)
        except OSError as e:
            raise FileError(f"{self.source.file}: cannot be read: {e.strerror or e}") from None
        except FileError as e:
            raise FileError(str(e).replace(str(self._draft), str(self.source.file))) from None

    def read_first(self) -> Engine:
        """`read` at a start: if the file is broken, the copy that was last good, if there is one."""
        try:
            return self.read()
        except ComposeError as e:
            if self._kept is None or not self._kept.exists():
                raise
            logger.warning("%s: %s; serving its last good version", self.source, _line(e))
            self._draft.unlink(missing_ok=True)
            return self._engine(self._kept)

    def prepare(self, engine: Engine) -> None:
        """Compile the engine's batch sizes, and keep the copy that it was read from."""
        engine.warm_up()
        if not engine.independent:
            logger.warning(
                "%s: its examples depend on the others in a batch, so that requests run one by one", self.source
            )
        if self._kept is not None and self._draft.exists():
            os.replace(self._draft, self._kept)

    async def start(self, engine: Engine) -> None:
        """Answer with this engine from now on; requests that wait get their answers from the one before."""
        before, options = self.batcher, self.options
        most = engine.sizes[-1] if engine.independent else 0
        self.batcher = Batcher(engine.run, most, options.max_delay, options.max_queue, self._watch)
        self.engine, self.state = engine, "READY"
        if before is not None:
            await before.close()

    def current(self) -> tuple[Engine, Batcher]:
        """The engine that answers, and its queue. Raises `ServeError` before it is ready."""
        if self.engine is None or self.batcher is None:
            raise ServeError(503, f"the model {self.source.name!r} is not ready", 1)
        return self.engine, self.batcher

    async def run(self, engine: Engine, batcher: Batcher, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for these inputs, which were read for this engine. Raises `ServeError`."""
        engine.check(arrays)
        return await batcher(arrays)

    async def close(self) -> None:
        """Answer what waits, and stop."""
        if self.batcher is not None:
            await self.batcher.close()

    @property
    def waiting(self) -> int:
        return 0 if self.batcher is None else self.batcher.waiting

    def now(self) -> tuple[int, ...] | None:
        """What changes when the file does; None while there is none."""
        try:
            found = os.stat(self.source.file)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _engine(self, path: Path) -> Engine:
        return Engine(load(path), self.options.max_batch)

    @property
    def _kept(self) -> Path | None:
        keep = self.options.keep
        return None if keep is None else keep / f"{self.source}.safetensors"

    @property
    def _draft(self) -> Path:
        assert self._kept is not None
        return self._kept.with_suffix(".part")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
