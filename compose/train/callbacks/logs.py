"""Scores as rows of a file: CSV, or one JSON object a line."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from compose.atomic import replacing
from compose.core.errors import FileError
from compose.train.callbacks.event import Callback, Event
from compose.train.keywords import settings


@settings
class csv_log(Callback):
    """One row an epoch: its number, seconds, loss and metrics. Elsewhere: Keras `CSVLogger`.

    A training that goes on, such as one resumed from a checkpoint, keeps the rows of the epochs before.
    """

    path: str | os.PathLike

    def begin(self, event: Event) -> Any:
        if not event.first:
            return _nothing
        rows = [line for line in _lines(self.path)[1:] if _number(line.partition(",")[0]) <= event.epoch]
        kept = [*_lines(self.path)[:1], *rows] if event.step and rows else []
        _write(self.path, kept)

        def log(event: Event) -> None:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            if not kept:
                writer.writerow(event.scores)
                kept.append("")
            writer.writerow(int(v) if k == "epoch" else v for k, v in event.scores.items())
            _append(self.path, text.getvalue())

        return log


@settings
class jsonl_log(Callback):
    """One JSON object a line: the kind of event, epoch, step and scores; `steps` adds a line every so many steps.

    What is not finite is null. A training that goes on, such as one resumed from a checkpoint, keeps the lines before.
    """

    path: str | os.PathLike
    steps: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def on(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return ("epoch",) if self.steps is None else ("steps", "epoch")

    def begin(self, event: Event) -> Any:
        if not event.first:
            return _nothing
        _write(self.path, [line for line in _lines(self.path) if event.step and 0 <= _step(line) <= event.step])

        def log(event: Event) -> None:
            scores = {k: v if math.isfinite(v) else None for k, v in event.scores.items() if k != "epoch"}
            row = {"on": event.on, "epoch": event.epoch, "step": event.step, **scores}
            _append(self.path, json.dumps(row) + "\n")

        return log


def _nothing(event: Event) -> None:
    """What the processes do that write no files."""


def _lines(path: Any) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as e:
        raise FileError(f"{path}: cannot be read as a log: {e}") from None


def _write(path: Any, lines: Iterable[str]) -> None:
    try:
        with replacing(path) as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
    except OSError as e:
        raise FileError(f"{path}: cannot be written: {e.strerror or e}") from None


def _append(path: Any, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _step(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return -1
