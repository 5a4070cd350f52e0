"""Connections that do not stay open for a client that is slow with the headers of a request."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, httptools' if it is installed, with a limit on the time that headers may take.

    uvicorn closes connections that are idle after an answer; this also closes those that never send a whole request.
    """
    if importlib.util.find_spec("httptools") is not None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as base
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as base

    class TimedProtocol(base):  # pyright: ignore[reportGeneralTypeIssues]
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._start()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._busy():
                self._stop()
            elif self._timer is None:
                self._start()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _busy(self) -> bool:
            """Whether the headers of a request are there, and it is not answered yet."""
            return self.cycle is not None and not self.cycle.response_complete

        def _start(self) -> None:
            self._timer = self.loop.call_later(seconds, self._late)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._timer = None
            if not self._busy() and not self.transport.is_closing():
                self.transport.close()

    return TimedProtocol
