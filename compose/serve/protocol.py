"""Connections: how many at a time, and none that stays open for a client that is slow with the headers of a request."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from typing import Any

from compose.serve.body import write_json

logger = logging.getLogger("compose.serve")

QUIET = 60  # seconds between two lines in the log that say the same


def protocol(seconds: float, most: int) -> type[asyncio.Protocol]:
    """uvicorn's protocol, httptools' if it is installed, with limits on connections and on the time of headers.

    uvicorn closes connections that are idle after an answer; this also closes those that never send a whole request.
    A connection beyond the limit gets status 503 with `Retry-After` for its first request, and is closed; those within
    it are not touched, where uvicorn's `limit_concurrency` would refuse them all.

    Args:
        seconds: that the headers of a request may take.
        most: connections at a time.
    """
    if importlib.util.find_spec("httptools") is not None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as base
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as base
    said = -float(QUIET)

    class LimitedProtocol(base):  # pyright: ignore[reportGeneralTypeIssues]
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            nonlocal said
            super().connection_made(transport)
            self._start()
            if len(self.connections) > most:
                self.app = _full
                if self.loop.time() - said > QUIET:
                    said = self.loop.time()
                    logger.warning("more than %d connections: others get status 503", most)

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

    return LimitedProtocol


async def _full(scope: Any, receive: Any, send: Any) -> None:
    """The application for connections beyond the limit."""
    body = write_json({"error": "too many connections"})
    headers = {"content-type": "application/json", "content-length": str(len(body)), "retry-after": "1"}
    listed = [(name.encode(), value.encode()) for name, value in {**headers, "connection": "close"}.items()]
    await send({"type": "http.response.start", "status": 503, "headers": listed})
    await send({"type": "http.response.body", "body": body})
