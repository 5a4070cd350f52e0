"""A bound on the bytes of all request bodies that are held at a time."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Bodies:
    """A middleware: a request whose body would not fit beside the others that are being answered gets status 503.

    What counts is what has come, not what a request announces, so that slow clients take no more than they send; one
    that announces more than there is room for is refused before it is read.

    Args:
        app: the application.
        most: bytes of all bodies together.
    """

    def __init__(self, app: ASGIApp, most: int):
        self.app, self.most, self.held = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        own, announced = 0, _announced(scope)

        async def counted() -> Message:
            nonlocal own
            self._check(announced - own)
            message = await receive()
            size = len(message.get("body", b""))
            self._check(size)
            own += size
            self.held += size
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self.held -= own

    def _check(self, more: int) -> None:
        if more > 0 and self.held + more > self.most:
            raise HTTPException(503, "the requests that are being answered hold too many bytes", {"Retry-After": "1"})


def _announced(scope: Scope) -> int:
    """The length that the headers say; 0 if they say none."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(found) if found.isdigit() and len(found) < 16 else 0
