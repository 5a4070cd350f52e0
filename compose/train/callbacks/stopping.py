"""Stop when a score no longer becomes better."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError
from compose.train.callbacks.event import Answer, Callback, Event, replace, stop
from compose.train.callbacks.monitor import Monitor
from compose.train.keywords import settings


@settings
class early_stopping(Callback):
    """Stop after `patience` epochs without a better score, and give the best parameters back.

    Args:
        monitor: the score's name in the history; None for `val_loss`, or `loss` without validation.
        patience: epochs in a row without a better score.
        min_delta: how much better it must be.
        mode: `"min"` or `"max"`; `"auto"` knows the names of the losses and metrics of this package.
        best: end with parameters and state of the best epoch, also if training was not stopped early.

    Elsewhere: Keras `EarlyStopping(restore_best_weights=True)`, Lightning `EarlyStopping`.
    """

    monitor: str | None = None
    patience: int = 5
    min_delta: float = 0.0
    mode: str = "auto"
    best: bool = True
    on = ("epoch", "end")

    def __post_init__(self) -> None:
        patience(self.patience)
        Monitor(self.monitor, self.mode, self.min_delta)

    def begin(self, event: Event) -> Any:
        return _Stopping(self, event)


class _Stopping:
    def __init__(self, settings: early_stopping, event: Event):
        self.settings = settings
        self.monitor = Monitor(settings.monitor, settings.mode, settings.min_delta).begun(event)
        self.memory: dict[str, Any] = {"best": None, "epoch": 0, "waited": 0}

    def restore(self, memory: dict[str, Any]) -> None:
        self.memory = memory

    def __call__(self, event: Event) -> Answer | None:
        m = self.memory
        if event.on == "end":
            if not self.settings.best or m["best"] is None or m["waited"] == 0:
                return None
            return replace(params=m["params"], state=m["state"])
        if self.monitor.better(event, m["best"]):
            self.memory = {"best": self.monitor.value(event), "epoch": event.epoch, "waited": 0}
            if self.settings.best:
                self.memory |= {"params": event.params, "state": event.state}
            return None
        self.memory = {**m, "waited": m["waited"] + 1}
        return stop if self.memory["waited"] >= self.settings.patience else None


def patience(value: Any) -> None:
    """Raise `ConfigError` unless it is a number of epochs."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError("patience, a number of epochs of at least 1", repr(value))
