"""Which score to watch, and whether it has become better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compose.core.errors import ConfigError
from compose.core.keywords import near
from compose.train.callbacks.event import Event

_RISING = ("accuracy", "auc", "precision", "recall", "f1", "r2")
_FALLING = ("loss", "error", "mse", "mae", "rmse", "huber", "log_cosh", "entropy", "perplexity")


@dataclass(frozen=True)
class Monitor:
    """A score by its name in the history; None is `val_loss`, or `loss` without validation.

    `mode` is `"min"`, `"max"`, or `"auto"`, which knows the scores of this package by name.
    """

    name: str | None = None
    mode: str = "auto"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "min", "max"):
            raise ConfigError('mode to be "auto", "min" or "max"', repr(self.mode))
        if self.name is not None:
            self.rises(self.name)

    def begun(self, event: Event) -> Monitor:
        """The same, for a training that begins. Raises `ConfigError` if it will have no score of this name."""
        if self.name is not None and event.names and self.name not in event.names:
            raise self._no_score(event.names)
        return self

    def value(self, event: Event) -> float:
        """The score now. Raises `ConfigError` if there is none of this name."""
        name = self.name_in(event)
        if name not in event.scores:
            raise self._no_score([n for n in event.scores if n not in ("epoch", "seconds")])
        return float(event.scores[name])

    def _no_score(self, known: Sequence[str]) -> ConfigError:
        name = self.name or "loss"
        closest = near(name, known)
        hint = f"did you mean {closest[0]!r}?" if closest else "metrics= in fit says which scores there are"
        if name.startswith("val_") and not any(n.startswith("val_") for n in known):
            hint = "val_ scores need validation= in fit"
        return ConfigError(f"a score to monitor out of {', '.join(known)}", repr(name), hint)

    def name_in(self, event: Event) -> str:
        return self.name or ("val_loss" if "val_loss" in event.scores else "loss")

    def better(self, event: Event, best: float | None) -> bool:
        """Whether the score is better than `best` by more than `min_delta`; NaN is not, and anything is than None."""
        value = self.value(event)
        if value != value:
            return False
        if best is None:
            return True
        gain = value - best if self.rises(self.name_in(event)) else best - value
        return gain > self.min_delta

    def rises(self, name: str) -> bool:
        """Whether a larger score is a better one."""
        if self.mode != "auto":
            return self.mode == "max"
        if any(name.endswith(word) for word in _FALLING):
            return False
        if any(name.endswith(word) for word in _RISING) or "top_" in name:
            return True
        prefix = "val_" * name.startswith("val_")
        closest = near(name.removeprefix("val_"), (*_FALLING, *_RISING))
        hint = f"did you mean {prefix + closest[0]!r}?" if closest else ""
        raise ConfigError(
            f'mode="min" or mode="max" for the score {name!r}', "a name that does not tell which is better", hint
        )
