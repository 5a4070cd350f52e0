"""Handle Ctrl-C, and where asked SIGTERM: finish the running steps first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any


class Interrupt:
    """A context in which the first Ctrl-C sets `asked`; the second raises `KeyboardInterrupt` as usual.

    Raising at once could lose the parameters: they may be donated to a call that has not returned yet.
    With `terminate`, SIGTERM sets `asked` and `terminated`. A program with its own handlers keeps them.

    Several processes must stop after the same step: then `most` is given, which tells the largest of their numbers, and
    a signal counts from the next `settled()`.
    """

    def __init__(self, terminate: bool = False, most: Callable[[int], int] | None = None):
        self.asked = self.terminated = False
        self.most, self.heard = most, 0  # 1 for Ctrl-C, 2 for SIGTERM
        self.watched: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler}
        if terminate:
            self.watched[signal.SIGTERM] = signal.SIG_DFL
        self.ours: list[signal.Signals] = []

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self.ours = [s for s, default in self.watched.items() if signal.getsignal(s) is default]
        for s in self.ours:
            signal.signal(s, self._ask)
        return self

    def __exit__(self, *error) -> None:
        for s in self.ours:
            signal.signal(s, self.watched[s])

    def settled(self) -> bool:
        """Whether to stop here, which all processes must ask at the same place."""
        if self.most is not None:
            self._take(self.most(self.heard))
        return self.asked

    def _ask(self, signum, frame) -> None:
        self.heard = max(self.heard, 2 if signum == signal.SIGTERM else 1)
        if signum != signal.SIGTERM:
            signal.signal(signum, self.watched[signal.SIGINT])
        if self.most is None:
            self._take(self.heard)

    def _take(self, heard: int) -> None:
        self.asked, self.terminated = heard > 0, heard > 1
