"""Handle Ctrl-C, and where asked SIGTERM: finish the running steps first."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupt:
    """A context in which the first Ctrl-C sets `asked`; the second raises `KeyboardInterrupt` as usual.

    Raising at once could lose the parameters: they may be donated to a call that has not returned yet.
    With `terminate`, SIGTERM sets `asked` and `terminated`. A program with its own handlers keeps them.
    """

    def __init__(self, terminate: bool = False):
        self.asked = self.terminated = False
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

    def _ask(self, signum, frame) -> None:
        self.asked = True
        if signum == signal.SIGTERM:
            self.terminated = True
        else:
            signal.signal(signum, self.watched[signal.SIGINT])
