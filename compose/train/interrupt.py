"""Ctrl-C as a wish: training stops after the steps that run, and returns what it has."""

from __future__ import annotations

import signal
import threading


class Interrupt:
    """While entered, the first Ctrl-C sets `asked`; a second one raises `KeyboardInterrupt` as ever.

    An exception in the middle could find the parameters donated to a call whose result is not there yet.
    A program that handles SIGINT by itself keeps its handler.
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
