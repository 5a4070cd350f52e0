"""`compose serve` as a process, and plain HTTP to it."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAIN = "from compose.cli import main; main()"


class Process:
    """A service in a process of its own.

    Attributes:
        port: where it listens.
        lines: what it wrote so far.
    """

    def __init__(self, *arguments: Any, environment: dict[str, str] | None = None):
        whole = {**os.environ, **(environment or {})}
        command = [sys.executable, "-c", MAIN, "serve", "--port", "0", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=whole
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.wait_for(r"running on https?://[\d.]+:(\d+)")[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match:
        """What matches the pattern in a line of the log, as soon as there is one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = next((m for line in list(self.lines) if (m := re.search(pattern, line))), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in {''.join(self.lines)}")

    def ready(self) -> Process:
        """Wait until every model answers."""
        until = time.monotonic() + 60
        while self.get("/v2/health/ready")[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        return self

    def get(self, path: str) -> tuple[int, bytes]:
        return request(self.port, "GET", path)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        return request(self.port, "POST", path, body)

    def end(self, signal: int) -> int:
        """Send a signal, and wait for the exit status."""
        self.process.send_signal(signal)
        status = self.process.wait(60)
        self._reader.join(10)
        return status


def request(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status and the body of an answer, over a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def process(*arguments: Any, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """A service that is ready, killed at the end."""
    made = Process(*arguments, environment=environment)
    try:
        yield made.ready()
    finally:
        made.process.kill()
        made.process.wait(60)
        assert made.process.stderr is not None
        made._reader.join(10)
        made.process.stderr.close()
