"""An answer that is not a prediction."""

from __future__ import annotations

from compose.core.errors import ComposeError


class ServeError(ComposeError):
    """A request that is refused: an HTTP status and a line for the client, which says nothing about this machine.

    Attributes:
        status: the HTTP status.
        retry_after: after how many seconds the client may try again, or None.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
