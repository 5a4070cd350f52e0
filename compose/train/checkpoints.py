"""Checkpoints of a training: a folder of model files, each of which keeps all that going on takes.

A checkpoint is one file, so that it is there or not, with a SHA-256 of every byte, so that any damage is noticed. Where
parameters are split over processes, these write them to a folder beside it first; process 0 writes the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax

from compose.core.errors import ConfigError, FileError
from compose.core.warning import warn
from compose.train.container import read, write
from compose.train.distribution import ONE_DEVICE, Distribution
from compose.train.keywords import settings
from compose.train.split_arrays import SPLIT, check_split, folder_of, read_split, write_split

_NAME = re.compile(r"step-(\d{10})\.safetensors")
_DRAFT = re.compile(r"\.step-\d{10}\.safetensors\.[0-9a-f]{8}\.part")


@settings
class checkpoint:
    """Where and how often `fit` saves its checkpoints, for `fit(checkpoint=...)`.

    Args:
        folder: where they lie, one file each; it is made if it is missing.
        steps: save every so many steps.
        minutes: save when so many minutes have passed since the last one; None to go by steps alone.
        keep: how many to keep, the latest.

    `fit` saves at the end too, at Ctrl-C, and at SIGTERM, after which the program ends.
    """

    folder: str | os.PathLike
    steps: int | None = None
    minutes: float | None = 5.0
    keep: int = 3

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("keep", self.keep)):
            wrong = isinstance(value, bool) or not isinstance(value, int) or value < 1
            if wrong and not (name == "steps" and value is None):
                raise ConfigError(f"{name} to be an integer of at least 1", repr(value))
        if self.minutes is not None and not self.minutes >= 0:
            raise ConfigError("minutes of at least 0", repr(self.minutes))


def checkpoint_of(given: Any) -> checkpoint | None:
    """The settings for the argument of `fit`: a folder, or a `checkpoint`. Raises `ConfigError`."""
    if given is None or isinstance(given, checkpoint):
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigError("checkpoint to be a folder, or compose.checkpoint(folder, ...)", repr(given))
    return checkpoint(given)


class Checkpoints:
    """The folder of a running training. Files are written in the background, one at a time.

    In several processes, all of them make the same calls.
    """

    def __init__(self, settings: checkpoint, where: Distribution = ONE_DEVICE):
        self.settings, self.folder, self.where = settings, Path(settings.folder).expanduser(), where
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in os.listdir(self.folder) if where.first else ():
                if _DRAFT.fullmatch(name):  # of a program that was killed while it wrote
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.folder / name)
        except OSError as e:
            raise FileError(f"{self.folder}: cannot be a folder for checkpoints: {e.strerror or e}") from None
        self.pool, self.running = ThreadPoolExecutor(1, "checkpoint"), None
        self.last_time, self.last_step = time.monotonic(), -1

    def paths(self) -> list[Path]:
        """The checkpoints, the latest first."""
        return sorted((self.folder / name for name in os.listdir(self.folder) if _NAME.fullmatch(name)), reverse=True)

    def latest(self, params: Any = None) -> tuple[Path, dict[str, str], dict[str, Any]] | None:
        """The latest that is whole: its path, metadata and tensors. A warning names each that is damaged.

        `params` are abstract parameters, by which tensors are placed that are split over processes.
        """
        for name in self.where.said([path.name for path in self.paths()])[0]:
            path = self.folder / name
            found, wrong = self._tried(lambda: read(path))  # noqa: B023
            entry = found and found[0].get(SPLIT)
            if entry and not wrong:
                places = {n: self.where.place_of(params, n, tuple(e["shape"])) for n, e in json.loads(entry).items()}
                arrays, wrong = self._tried(lambda: read_split(path, entry, places))  # noqa: B023
                if not wrong:
                    _, wrong = self._tried(lambda: check_split(path, entry, arrays))  # noqa: B023
                    found[1].update(arrays)
            if not wrong:
                return path, *found
            if path.exists():  # another program may have deleted it
                warn(f"{wrong}; the checkpoint before it is used, if there is one")
        return None

    def _tried(self, do: Callable[[], Any]) -> tuple[Any, str]:
        """What a function returns, and what was wrong in any of the processes."""
        found, wrong = None, ""
        try:
            found = do()
        except FileError as e:
            wrong = str(e)
        return found, next((said for said in self.where.said(wrong) if said), "")

    def until_next(self, step: int) -> int | None:
        """How many steps remain until one is due; None if that is by minutes alone."""
        return None if self.settings.steps is None else self.settings.steps - step % self.settings.steps

    def due(self, step: int) -> bool:
        """Whether a checkpoint is to be saved after that many steps."""
        steps, minutes = self.settings.steps, self.settings.minutes
        if step == self.last_step:
            return False
        late = minutes is not None and self.where.most(time.monotonic() - self.last_time >= 60 * minutes)
        return bool(late) or (steps is not None and step % steps == 0)

    def save(self, step: int, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
        """Write a checkpoint in the background, after the one before is written. Raises its `FileError`.

        Tensors that are split over processes are `jax.Array`s; those are written before this returns.
        """
        self.wait()
        self.last_time, self.last_step = time.monotonic(), step
        path = self.folder / f"step-{step:010d}.safetensors"
        split = {name: a for name, a in tensors.items() if isinstance(a, jax.Array)}
        if split:
            metadata = {**metadata, SPLIT: write_split(path, split)}
            tensors = {name: a for name, a in tensors.items() if name not in split}
        if self.where.first:
            self.running = self.pool.submit(self._write, path, tensors, metadata)

    def _write(self, path: Path, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
        write(path, tensors, metadata)
        for old in self.paths()[self.settings.keep :]:
            with contextlib.suppress(FileNotFoundError):
                old.unlink()
        kept = {folder_of(path) for path in self.paths()}
        for folder in self.folder.glob("step-*.arrays"):
            if folder not in kept and folder < max(kept):  # later ones are being written
                shutil.rmtree(folder, ignore_errors=True)

    def wait(self) -> None:
        """Wait until everything is written. Raises `FileError` if that failed."""
        running: Future | None = self.running
        self.running = None
        if running is not None:
            running.result()

    def close(self) -> None:
        self.pool.shutdown(wait=True)
