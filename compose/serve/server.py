"""The server: uvicorn with our limits."""

from __future__ import annotations

import copy
import ipaddress
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from compose.core.errors import ConfigError
from compose.serve.app import app
from compose.serve.garbage import keep_all
from compose.serve.options import TOKENS, Options
from compose.serve.protocol import protocol
from compose.serve.sources import Source

logger = logging.getLogger("compose.serve")

KEEP_ALIVE = 15  # seconds that a connection may be idle between two requests
BACKLOG = 4096  # connections that the system takes before the server does; Linux bounds it by net.core.somaxconn
DRAIN = 30  # seconds that requests have to end after SIGTERM


def run(
    sources: list[Source],
    options: Options,
    host: str = "127.0.0.1",
    port: int = 8000,
    cert: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve these model files until SIGTERM or Ctrl-C, after which requests that have begun are answered.

    Args:
        sources, options: see `app`.
        host, port: the address to listen at; port 0 is any free one.
        cert, key: PEM files, to speak TLS.

    Raises `ConfigError` for one of `cert` and `key`, and what `app` raises.
    """
    server(sources, options, host, port, cert, key, keep_all).run()


def server(
    sources: list[Source],
    options: Options,
    host: str = "127.0.0.1",
    port: int = 8000,
    cert: Path | None = None,
    key: Path | None = None,
    loaded: Callable[[], None] = lambda: None,
) -> uvicorn.Server:
    """The server that `run` runs, to run in a thread: it has begun when it is `started`, and ends if `should_exit`."""
    if (cert is None) != (key is None):
        raise ConfigError("both a certificate and its key, or neither", "one of them")
    for file in (cert, key):
        if file is not None and not os.access(file, os.R_OK):
            raise ConfigError("files with the certificate and its key", f"{file}, which cannot be read")
    made = app(sources, options, loaded)
    http = protocol(options.header_timeout, options.max_connections)
    config = uvicorn.Config(
        made, host, port, http=http, ws="none", access_log=False, log_config=_logging(), server_header=False,
        proxy_headers=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=DRAIN,
        ssl_certfile=cert, ssl_keyfile=key,
    )  # fmt: skip
    if not options.tokens and not _local(host):
        logger.warning("anyone who reaches %s can use these models; %s asks for a token", host, TOKENS)
    return uvicorn.Server(config)


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _logging() -> dict[str, Any]:
    """uvicorn's, with ours."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["compose.serve"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config
