"""Keep the best network of a training in a file."""

from __future__ import annotations

import os
from typing import Any

from compose.train.callbacks.event import Answer, Callback, Event
from compose.train.callbacks.monitor import Monitor
from compose.train.keywords import settings


@settings
class save_best(Callback):
    """Write the model file `path` at the end of each epoch whose score is the best so far.

    Args:
        path: the file, which `compose.load` reads; it is replaced at once, never half written.
        monitor, mode: as in `early_stopping`.

    Elsewhere: Keras `ModelCheckpoint(save_best_only=True)`.
    """

    path: str | os.PathLike
    monitor: str | None = None
    mode: str = "auto"

    def __post_init__(self) -> None:
        Monitor(self.monitor, self.mode)

    def begin(self, event: Event) -> Any:
        return _Saving(self, event)


class _Saving:
    def __init__(self, settings: save_best, event: Event):
        self.path, self.monitor = settings.path, Monitor(settings.monitor, settings.mode).begun(event)
        self.memory: dict[str, Any] = {"best": None}

    def restore(self, memory: dict[str, Any]) -> None:
        self.memory = memory

    def __call__(self, event: Event) -> Answer | None:
        if self.monitor.better(event, self.memory["best"]):
            self.memory = {"best": self.monitor.value(event)}
            event.trained.save(self.path)
        return None
