"""Learning rates over the steps of a training, whose number `fit` fills in.

Each is optax's own schedule. `schedules.cosine(1e-3).over(steps)` is it, for a loop of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optax

from compose.core.errors import ConfigError

__all__ = ["Schedule", "constant", "cosine", "exponential", "linear", "one_cycle", "sized"]


@dataclass(frozen=True)
class Schedule:
    """A rate that rises from 0 to `peak` in `warmup` steps, or a fraction of all, and then follows `after`.

    Attributes:
        peak: the largest rate.
        warmup: a number of steps, or below 1 a fraction of all.
    """

    peak: float
    warmup: float = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise ConfigError(f"{name} to be a number of at least 0", repr(value))
        if not self.peak > 0:
            raise ConfigError("a peak above 0", repr(self.peak))

    def over(self, steps: int) -> Callable[[Any], Any]:
        """The optax schedule for that many steps. Raises `ConfigError` if the warm-up is longer."""
        rising = round(self.warmup * steps) if self.warmup < 1 else int(self.warmup)
        if rising >= steps:
            raise ConfigError(f"a warm-up shorter than the {steps} steps of the training", f"{rising} steps")
        rest = self.after(steps - rising)
        if not rising:
            return rest
        return optax.join_schedules([optax.linear_schedule(0.0, self.peak, rising), rest], [rising])

    def after(self, steps: int) -> Callable[[Any], Any]:
        """The schedule after the warm-up."""
        raise NotImplementedError


@dataclass(frozen=True)
class constant(Schedule):
    """`peak` after the warm-up: `optax.constant_schedule`."""

    def after(self, steps: int) -> Callable[[Any], Any]:
        return optax.constant_schedule(self.peak)


@dataclass(frozen=True)
class cosine(Schedule):
    """Half a cosine from `peak` down to `end`: `optax.cosine_decay_schedule`."""

    end: float = 0.0

    def after(self, steps: int) -> Callable[[Any], Any]:
        return optax.cosine_decay_schedule(self.peak, steps, self.end / self.peak)


@dataclass(frozen=True)
class linear(Schedule):
    """A line from `peak` down to `end`: `optax.linear_schedule`."""

    end: float = 0.0

    def after(self, steps: int) -> Callable[[Any], Any]:
        return optax.linear_schedule(self.peak, self.end, steps)


@dataclass(frozen=True)
class exponential(Schedule):
    """From `peak` to `end` by the same factor each step: `optax.exponential_decay`."""

    end: float = 1e-6

    def after(self, steps: int) -> Callable[[Any], Any]:
        return optax.exponential_decay(self.peak, steps, self.end / self.peak)


@dataclass(frozen=True)
class one_cycle(Schedule):
    """Up to `peak` in three tenths of the steps and down again, by cosines: `optax.cosine_onecycle_schedule`.

    Smith and Topin, Super-Convergence, 2018. Elsewhere: torch `OneCycleLR`, fastai `fit_one_cycle`.
    """

    def after(self, steps: int) -> Callable[[Any], Any]:
        return optax.cosine_onecycle_schedule(steps, self.peak)


def sized(learning_rate: Any, steps: int | None) -> tuple[Any, bool]:
    """The learning rate with optax schedules in place of ours, and whether there were any. Raises `ConfigError`."""
    if isinstance(learning_rate, Mapping):
        each = {pattern: sized(rate, steps) for pattern, rate in learning_rate.items()}
        return {pattern: rate for pattern, (rate, _) in each.items()}, any(new for _, new in each.values())
    if not isinstance(learning_rate, Schedule):
        return learning_rate, False
    if steps is None:
        raise ConfigError(
            "a number of steps for the schedule", "data that does not say how many batches it has",
            "give steps_per_epoch=, or an optax schedule",
        )  # fmt: skip
    return learning_rate.over(steps), True
