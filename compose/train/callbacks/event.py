"""What a callback is called with, and what it may answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compose.core.errors import ConfigError
from compose.core.layer import Layer

if TYPE_CHECKING:
    from compose.train.trained import Trained


@dataclass(frozen=True)
class Event:
    """A moment of a training.

    Attributes:
        on: `"begin"`, `"steps"`, `"epoch"` at the end of an epoch, or `"end"`.
        epoch: the epoch's number, from 1; at the beginning, how many are done.
        step: how many steps are done.
        scores: the loss and the metrics by name. At the end of an epoch, its row of the history, with `val_` scores;
            between steps, the means over the epoch so far.
        history: the rows of the epochs that are done.
        net: the network.
        rate: the factor on the learning rate, 1 unless a callback changed it.
        first: whether this process is the one that prints and writes files; False in all but one of several.
        names: those of the scores that every epoch will have.
    """

    on: str
    epoch: int
    step: int
    scores: dict[str, float]
    history: tuple[dict[str, float], ...]
    net: Layer
    rate: float
    now: Callable[[], Trained] = field(repr=False)
    first: bool = True
    names: tuple[str, ...] = ()

    @functools.cached_property
    def trained(self) -> Trained:
        """The network as it is now, a copy of its own: to predict with, evaluate or save."""
        return self.now()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters as they are now, a copy."""
        return self.trained.params

    @property
    def state(self) -> dict[str, Any]:
        """The network's state as it is now, a copy."""
        return self.trained.state


@dataclass(frozen=True, eq=False)
class Answer:
    """What a callback may return; see `stop` and `replace`."""

    params: Any = None
    state: Any = None
    rate: float | None = None
    stop: bool = False


stop = Answer(stop=True)  # end the training here


def replace(*, params: Any = None, state: Any = None, rate: float | None = None, stop: bool = False) -> Answer:
    """The answer to go on with other values.

    Args:
        params, state: new parameters or state for the network, with the paths and shapes of the old ones.
        rate: a factor on the learning rate from now on, in place of the last one.
        stop: end the training too.
    """
    return Answer(params, state, rate, stop)


class Callback:
    """A callback that remembers: `begin` returns what is called with the events of one training.

    What `begin` returns is a function of an event. It may have more:

    - `memory`, a dict of numbers, strings and trees of arrays, and `restore(memory)`: checkpoints keep it;
    - `close()`, called when the training is over, also by an error.

    Attributes:
        on: the kinds of events that it is called for, besides `"begin"`, which `begin` gets.
        steps: how many steps lie between events of the kind `"steps"`.
    """

    on: tuple[str, ...] = ("epoch",)
    steps: int = 1

    def begin(self, event: Event) -> Callable[[Event], Answer | None]:
        raise NotImplementedError


@dataclass(frozen=True)
class _Every(Callback):
    fn: Callable[[Event], Answer | None]
    steps: int  # pyright: ignore[reportIncompatibleVariableOverride]
    on = ("steps",)

    def begin(self, event: Event) -> Callable[[Event], Answer | None]:
        return self.fn


def every(steps: int) -> Callable[[Callable[[Event], Answer | None]], Callback]:
    """Call a function every so many steps: `every(100)(fn)`, or as a decorator.

    Steps are counted from the first of the training, not of the epoch.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ConfigError("a number of steps of at least 1", repr(steps))
    return lambda fn: _Every(fn, steps)
