"""What a service is run with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from compose.core.errors import ConfigError

TOKENS = "COMPOSE_SERVE_TOKENS"


@dataclass(frozen=True)
class Options:
    """The limits of a service. Sizes are in bytes, times in seconds.

    Attributes:
        max_batch: examples that run together.
        max_delay: how long a request to an idle model waits for others to join it.
        max_queue: examples that may wait for a model; beyond it, requests get status 503.
        max_body: the largest body of a request.
        max_bodies: the bodies of all requests that are being answered; beyond it, requests get status 503.
        body_timeout, header_timeout: how long a client may take to send a request's body, and its headers.
        max_connections: connections at a time; beyond it, requests get status 503.
        reload: how often files are looked at for changes; 0 for never.
        keep: a folder for a copy of each model's last good file, which a start falls back to; None for none.
        tokens: the bearer tokens of which a request needs one; none are needed if it is empty.
    """

    max_batch: int = 32
    max_delay: float = 0.0
    max_queue: int = 512
    max_body: int = 16 << 20
    max_bodies: int = 256 << 20
    body_timeout: float = 30.0
    header_timeout: float = 10.0
    max_connections: int = 1000
    reload: float = 2.0
    keep: Path | None = None
    tokens: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("max_batch", "max_queue", "max_body", "max_connections"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} to be at least 1", repr(getattr(self, name)))
        if self.max_bodies < self.max_body:
            raise ConfigError("max_bodies to have room for one of max_body", f"{self.max_bodies} and {self.max_body}")
        for name in ("body_timeout", "header_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} to be more than 0", repr(getattr(self, name)))
        for name in ("max_delay", "reload"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} to be at least 0", repr(getattr(self, name)))


def tokens_of_environment() -> tuple[str, ...]:
    """The tokens in the variable `COMPOSE_SERVE_TOKENS`, separated by commas; none if it is not set.

    Raises `ConfigError` if it is set to none, which nobody would want to mean "no token is needed", or to tokens that
    no header can hold.
    """
    if TOKENS not in os.environ:
        return ()
    tokens = tuple(token.strip() for token in os.environ[TOKENS].split(",") if token.strip())
    if not tokens or not all(t.isascii() and t.isprintable() and " " not in t for t in tokens):
        raise ConfigError(f"{TOKENS} to be tokens of ASCII letters, digits and signs, separated by commas")
    return tokens
