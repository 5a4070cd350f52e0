"""The callbacks of one training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from compose.core.errors import ConfigError
from compose.train.callbacks.event import Answer, Callback, Event

NOTHING = Answer()


class Running:
    """The callbacks begun; `fire` calls those that an event is for and merges their answers."""

    def __init__(self, callbacks: Sequence[Any], event: Event):
        for callback in callbacks:
            if not isinstance(callback, Callback) and not callable(callback):
                raise ConfigError("callbacks that are functions of an event", repr(callback))
            if isinstance(callback, type):
                raise ConfigError("callbacks that are functions of an event", f"the class {callback.__name__}",
                                  f"{callback.__name__}(...) makes one")  # fmt: skip
        self.names = [type(callback).__name__ for callback in callbacks]
        self.steps = [c.steps if isinstance(c, Callback) and "steps" in c.on else None for c in callbacks]
        self.kinds = [c.on if isinstance(c, Callback) else ("epoch",) for c in callbacks]
        self.fns: list[Any] = []
        try:
            for callback in callbacks:
                self.fns.append(callback.begin(event) if isinstance(callback, Callback) else callback)
        except BaseException:
            self.close()
            raise

    def until_next(self, step: int) -> int | None:
        """How many steps remain until some callback is to be called; None without any for steps."""
        return min((every - step % every for every in self.steps if every), default=None)

    def wants(self, on: str, step: int) -> bool:
        """Whether `fire` would call any."""
        return any(map(self._called(on, step), range(len(self.fns))))

    def _called(self, on: str, step: int) -> Callable[[int], bool]:
        return lambda i: on in self.kinds[i] and (on != "steps" or step % (self.steps[i] or 1) == 0)

    def fire(self, event: Event) -> Answer:
        """Call those that the event is for. Of several answers the last counts, and each may stop."""
        merged: dict[str, Any] = {}
        for i in filter(self._called(event.on, event.step), range(len(self.fns))):
            answer = self.fns[i](event)
            if answer is None:
                continue
            if not isinstance(answer, Answer):
                raise ConfigError(
                    f"the callback {self.names[i]} to return None, callbacks.stop or callbacks.replace(...)",
                    repr(answer),
                )
            merged |= {k: v for k, v in vars(answer).items() if v is not None and v is not False}
        return Answer(**merged) if merged else NOTHING

    @property
    def memory(self) -> list[dict[str, Any]]:
        """What the callbacks remember, with their names."""
        return [{"name": n, "memory": getattr(fn, "memory", None)} for n, fn in zip(self.names, self.fns)]

    def restore(self, memory: list[dict[str, Any]]) -> None:
        """Undo `memory`. Raises `ConfigError` if it is of other callbacks."""
        names = [m["name"] for m in memory]
        if names != self.names:
            raise ConfigError(f"the callbacks of the training in the checkpoint: {', '.join(names) or 'none'}",
                              ", ".join(self.names) or "none")  # fmt: skip
        for fn, m in zip(self.fns, memory):
            if m["memory"] is not None and hasattr(fn, "restore"):
                fn.restore(m["memory"])

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for fn in self.fns:
                if hasattr(fn, "close"):
                    stack.callback(fn.close)
