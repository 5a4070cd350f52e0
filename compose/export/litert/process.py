"""The process that converts and runs models: started once, and again after a crash."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from compose.export.labels import labels


class Refused(RuntimeError):
    """What the converter or the interpreter says."""


class Worker:
    """A process that runs `worker.py`."""

    def __init__(self) -> None:
        self.log: Any = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip

    def ask(self, request: dict[str, Any]) -> None:
        """Do what is asked. Raises `Refused` if that fails, and if the process dies of it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        before = self.log.seek(0, 2)
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait()
            words = self._said(r"(?:LLVM ERROR|Check failed|Fatal): *(.+)", before)
            self.close()
            raise Refused(f"a crash of TensorFlow's converter or LiteRT's interpreter{words and f': {words}'}")
        error = json.loads(answer).get("error")
        if error == "RuntimeError":  # the quantizer prints its reasons
            error = self._said(r"error: (.+)", before) or error
        if error:
            raise Refused(error)

    def _said(self, pattern: str, start: int) -> str:
        """The first match in what the process printed from `start` on."""
        self.log.seek(start)
        found = re.search(pattern, self.log.read())
        return found[1].strip() if found else ""

    def close(self) -> None:
        """End the process, unless that is done."""
        if self.log.closed:
            return
        self.process.kill()
        self.process.communicate()
        self.log.close()


_lock = threading.Lock()
_running: list[Worker] = []


def ask(do: str, **request: Any) -> None:
    """`worker.convert` or `worker.run`. Raises `Refused`."""
    with _lock:
        if _running and _running[0].process.poll() is not None:
            _running.pop()
        if not _running:
            _running.append(Worker())
            atexit.register(_running[0].close)
        _running[0].ask({"do": do, **request})


def convert(folder: str, precision: str | None, rows: dict[str, np.ndarray] | None) -> bytes:
    """The LiteRT model of a SavedModel. Raises `Refused`."""
    with tempfile.TemporaryDirectory() as held:
        examples, model = Path(held) / "rows.npz", Path(held) / "model.tflite"
        if rows is not None:
            np.savez(examples, **rows)  # pyright: ignore[reportArgumentType]
        given = None if rows is None else str(examples)
        ask("convert", folder=folder, precision=precision, rows=given, model=str(model))
        return model.read_bytes()


class Interpreted:
    """A model ready to run: `run(*arrays)` are its outputs, for the inputs in order. Raises `Refused`."""

    name = "LiteRT's interpreter"

    def __init__(self, model: bytes):
        self.model = model

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        with tempfile.TemporaryDirectory() as held:
            model, given, made = (Path(held) / name for name in ("model.tflite", "given.npz", "made.npz"))
            model.write_bytes(self.model)
            feeds: dict[str, Any] = dict(zip(labels("x", len(arrays)), arrays))
            np.savez(given, **feeds)
            ask("run", model=str(model), given=str(given), made=str(made))
            with np.load(made) as outputs:
                return [outputs[name] for name in labels("y", len(outputs.files))]
