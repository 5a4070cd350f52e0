"""A client that calls an ASGI application in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from compose.serve import Options, app
from compose.serve.sources import Source


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Sends requests to an application; `last` is the last answer, also to a request that raised."""

    last: Answer

    def __init__(self, application: Any):
        self.app = application

    async def __call__(
        self, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None, pause: float = 0
    ) -> Answer:
        """Send a request; a body that is no bytes is sent as JSON, after a pause."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(pause)
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        named = {"host": "here", "content-length": str(len(data)), **(headers or {})}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in named.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
        }  # fmt: skip
        try:
            await self.app(scope, receive, send)
        finally:
            start, *rest = sent
            found = {k.decode(): v.decode() for k, v in start["headers"]}
            self.last = Answer(start["status"], found, b"".join(m.get("body", b"") for m in rest))
        return self.last

    async def get(self, path: str, **options: Any) -> Answer:
        return await self("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Answer:
        return await self("POST", path, body, **options)


@asynccontextmanager
async def running(sources: list[Source], **options: Any):
    """A client of a service of these files, ready; closed at the end."""
    application = app(sources, Options(**{"max_batch": 4, "reload": 0.0, **options}))
    await application.state.models.start()
    try:
        yield Client(application)
    finally:
        await application.state.models.close()


def serve(scenario: Callable[[Client], Awaitable[Any]], sources: list[Source], **options: Any) -> Any:
    """Run a scenario with a client."""

    async def main() -> Any:
        async with running(sources, **options) as client:
            return await scenario(client)

    return asyncio.run(main())
