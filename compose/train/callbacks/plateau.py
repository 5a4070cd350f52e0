"""Lower the learning rate when a score no longer becomes better."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError
from compose.train.callbacks.event import Answer, Callback, Event, replace
from compose.train.callbacks.monitor import Monitor
from compose.train.callbacks.stopping import patience
from compose.train.keywords import settings


@settings
class reduce_on_plateau(Callback):
    """Multiply the learning rate by `factor` after `patience` epochs without a better score.

    Args:
        monitor, patience, min_delta, mode: as in `early_stopping`.
        factor: between 0 and 1.
        cooldown: epochs after a reduction that do not count.
        least: the smallest factor on the first learning rate.

    A schedule goes on beneath it. Elsewhere: Keras `ReduceLROnPlateau`, torch's class of the same name;
    `optax.contrib.reduce_on_plateau` watches the training loss of steps instead.
    """

    monitor: str | None = None
    factor: float = 0.1
    patience: int = 3
    min_delta: float = 1e-4
    mode: str = "auto"
    cooldown: int = 0
    least: float = 0.0

    def __post_init__(self) -> None:
        patience(self.patience)
        if not 0 < self.factor < 1:
            raise ConfigError("factor between 0 and 1", repr(self.factor))
        Monitor(self.monitor, self.mode, self.min_delta)

    def begin(self, event: Event) -> Any:
        return _Plateau(self, event)


class _Plateau:
    def __init__(self, settings: reduce_on_plateau, event: Event):
        self.settings = settings
        self.monitor = Monitor(settings.monitor, settings.mode, settings.min_delta).begun(event)
        self.memory: dict[str, Any] = {"best": None, "waited": 0, "resting": 0}

    def restore(self, memory: dict[str, Any]) -> None:
        self.memory = memory

    def __call__(self, event: Event) -> Answer | None:
        m, settings = self.memory, self.settings
        resting = max(0, m["resting"] - 1)
        if self.monitor.better(event, m["best"]):
            self.memory = {"best": self.monitor.value(event), "waited": 0, "resting": resting}
            return None
        waited = 0 if m["resting"] else m["waited"] + 1
        self.memory = {**m, "waited": waited, "resting": resting}
        rate = max(event.rate * settings.factor, settings.least)
        if waited < settings.patience or rate >= event.rate:
            return None
        self.memory |= {"waited": 0, "resting": settings.cooldown}
        return replace(rate=rate)
