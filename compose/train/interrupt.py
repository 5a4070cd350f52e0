"""Handle Ctrl-C: finish the running steps, then return what was trained."""

from __future__ import annotations

import signal
import threading


class Interrupt:
    """A context in which the first Ctrl-C sets `asked`; the second raises `KeyboardInterrupt` as usual.

    Raising at once could lose the parameters: they may be donated to a call that has not returned yet.
    A program with its own SIGINT handler keeps it.
    """

    def __init__(self):
        self.asked = False
        self.ours = False

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        self.ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.ours:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error) -> None:
        if self.ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, signum, frame) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
