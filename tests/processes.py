"""Run a program as several processes on this machine, none of which outlives the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Started:
    """A process, with what it has printed."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]):
        self.out, self.err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=self.out, stderr=self.err, start_new_session=True
        )

    def text(self, file: Any) -> str:
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")

    @property
    def stdout(self) -> str:
        return self.text(self.out)

    @property
    def stderr(self) -> str:
        return self.text(self.err)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        self.kill()
        self.out.close()
        self.err.close()


@contextmanager
def processes(command: Sequence[str], count: int = 2, devices: int = 2, **environment: str) -> Iterator[list[Started]]:
    """The command as `count` processes that find each other by JAX's variables; killed at the end of the context."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    kept |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
    kept |= {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(count), **environment}
    started: list[Started] = []
    try:
        for i in range(count):
            started.append(Started(command, {**kept, "JAX_PROCESS_ID": str(i)}))
        yield started
    finally:
        for one in started:
            one.close()


def ended(started: list[Started], timeout: float) -> list[tuple[int, str, str]]:
    """Status, output and errors of each at their end; all are killed at the time-out."""
    until = time.monotonic() + timeout
    while any(one.process.poll() is None for one in started) and time.monotonic() < until:
        time.sleep(0.05)
    late = [i for i, one in enumerate(started) if one.process.poll() is None]
    for one in started:
        one.kill()
    told = [(one.process.returncode, one.stdout, one.stderr) for one in started]
    assert not late, f"processes {late} did not end: " + "\n".join(err[-2000:] for _, _, err in told)
    return told


def run(command: Sequence[str], count: int = 2, timeout: float = 300, **options: Any) -> list[str]:
    """What each of the processes prints. Raises `AssertionError` unless all end well."""
    with processes(command, count, **options) as started:
        told = ended(started, timeout)
    for status, out, err in told:
        assert status == 0, f"status {status}\n{out[-2000:]}\n{err[-4000:]}"
    return [out for _, out, _ in told]
