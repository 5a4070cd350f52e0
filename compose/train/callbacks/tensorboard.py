"""Write a training for TensorBoard, through tensorboardX, which works without TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError
from compose.core.patterns import paths
from compose.train.callbacks.event import Answer, Callback, Event


@dataclass(frozen=True)
class tensorboard(Callback):
    """Scalars of every epoch, `loss/train` beside `loss/val`, over the number of steps.

    Args:
        folder: where `tensorboard --logdir` looks.
        steps: scalars every so many steps too, as `loss/steps`: means over the epoch so far.
        histograms: histograms of all parameters at the end of every epoch.

    The network's text is written once. It needs the package tensorboardX: `pip install "compose-jax[tensorboard]"`.
    """

    folder: str | os.PathLike
    steps: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    histograms: bool = False

    def __post_init__(self) -> None:
        _writer_class()

    @property
    def on(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return ("epoch",) if self.steps is None else ("steps", "epoch")

    def begin(self, event: Event) -> Any:
        writer = _writer_class()(os.fspath(self.folder), purge_step=event.step + 1 if event.step else None)
        if event.step == 0:
            writer.add_text("network", f"    {event.net}")
        return _Writing(writer, self.histograms)


class _Writing:
    def __init__(self, writer: Any, histograms: bool):
        self.writer, self.histograms = writer, histograms

    def __call__(self, event: Event) -> Answer | None:
        for name, value in event.scores.items():
            if name in ("epoch", "seconds"):
                continue
            plain = name.removeprefix("val_")
            part = "steps" if event.on == "steps" else "train" if plain == name else "val"
            self.writer.add_scalar(f"{plain}/{part}", value, event.step)
        if self.histograms and event.on == "epoch":
            for path, leaf in zip(paths(event.params), jax.tree.leaves(event.params)):
                self.writer.add_histogram(path, np.asarray(leaf, np.float32), event.step)
        return None

    def close(self) -> None:
        self.writer.close()


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ConfigError(
            "the package tensorboardX for TensorBoard", "none installed", 'pip install "compose-jax[tensorboard]"'
        ) from None
    return SummaryWriter
