"""Model files as `kserve.Model`s."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from compose.core.errors import ConfigError
from compose.serve import v1
from compose.serve.body import checked
from compose.serve.errors import ServeError
from compose.serve.garbage import keep_all
from compose.serve.kserve import messages
from compose.serve.kserve.package import kserve
from compose.serve.models import Models
from compose.serve.options import Options
from compose.serve.sources import Source
from compose.serve.tensors import Slot

logger = logging.getLogger("compose.serve")


def models(sources: Sequence[Source], options: Options) -> list[Any]:
    """A `kserve.Model` of each file, read and compiled, for `kserve.ModelServer().start`.

    Requests are joined to batches and checked as those of `compose serve`, and changed files are loaded. What a model
    cannot take is `kserve.errors.InvalidInput`: status 400, or INVALID_ARGUMENT over gRPC; if too many requests wait it
    is 503, or UNAVAILABLE.

    Raises `FileError` for a broken file, and `ConfigError` for two versions of a model, since KServe knows none, and
    for a network with inputs or outputs of BF16, which its server has no arrays for.
    """
    names = [source.name for source in sources]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError("models of different names, since KServe knows no versions", f"two of {twice}")
    made = [_class()(source, options) for source in sources]
    for model in made:
        model.load()
    return made


def _class() -> type[Any]:
    """A class of KServe's, which is imported only here."""
    package, errors = kserve(), kserve("errors")

    class Busy(errors.ModelNotReady):
        def __init__(self, error: ServeError):
            self.error_msg = self.reason = str(error)

    def refused(error: ServeError) -> Exception:
        return Busy(error) if error.status == 503 else errors.InvalidInput(str(error))

    class Model(package.Model):
        """A model file in KServe's server."""

        def __init__(self, source: Source, options: Options):
            super().__init__(source.name)
            self.engine = True  # so that KServe calls `start_engine` in its event loop
            self.source, self._models = source, Models([source], options, loaded=keep_all)
            self._closing: asyncio.Task[None] | None = None

        def load(self) -> bool:
            """Read the file and compile every batch size, once."""
            if not self.ready:
                self._models.read()
                (engine,) = self._models.compile()
                self._inputs, self._outputs = _described(engine.inputs), _described(engine.outputs)
                self.ready = True
            return self.ready

        async def start_engine(self) -> None:
            """Answer from now on, and look for changed files."""
            await self._models.start()

        def stop_engine(self) -> None:
            """Answer what waits, and stop."""
            self.ready = False
            self._closing = asyncio.get_running_loop().create_task(self._models.close())

        def get_input_types(self) -> list[dict[str, Any]]:
            return self._inputs

        def get_output_types(self) -> list[dict[str, Any]]:
            return self._outputs

        async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
            """The answer to a request of version 2, or to a dictionary of version 1."""
            try:
                return await self._predicted(payload)
            except ServeError as e:
                raise refused(e) from None
            except errors.ModelNotFound:
                raise
            except Exception:
                logger.exception("%s: the prediction failed", self.source)
                raise RuntimeError("the prediction failed; the server's log says why") from None

        async def _predicted(self, payload: Any) -> Any:
            served = self._models.find(self.name)
            engine, batcher = served.current()
            if not isinstance(payload, package.InferRequest):
                first = v1.asked(checked(v1.PredictRequest, payload), engine.inputs)
                return v1.answered(first, engine.outputs, await served.run(engine, batcher, first.arrays))
            if payload.model_version not in (None, "", self.source.version):
                raise errors.ModelNotFound(f"{self.name}, version {payload.model_version[:40]}")
            asked = messages.read(payload, engine.inputs, engine.outputs)
            arrays = await served.run(engine, batcher, asked.arrays)
            return messages.write(payload, asked, self.name, self.source.version, engine.outputs, arrays)

    return Model


def _described(slots: Sequence[Slot]) -> list[dict[str, Any]]:
    if wrong := next((slot for slot in slots if slot.datatype == "BF16"), None):
        raise ConfigError("inputs and outputs of a datatype that KServe's server knows", f"{wrong.name} of BF16")
    return [slot.described() for slot in slots]
