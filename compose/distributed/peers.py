"""What a process does when another one is lost, or when it fails itself: say so, and leave at once.

Leaving as usual would hang: at its exit JAX waits for all the processes, minutes for one that is dead.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax

AGAIN = 75  # the exit status, EX_TEMPFAIL: the same command may succeed when it is run again

_LOST = re.compile(
    r"gloo|nccl|rccl|connection (reset|closed|refused)|socket closed|broken pipe|heartbeat|coordination|barrier"
    r"|unavailable|deadline.?exceeded|aborted|peer|task.*(died|unhealthy|error)",
    re.IGNORECASE,
)


def is_loss(error: BaseException) -> bool:
    """Whether an error says that another process is lost, rather than that this one did something wrong."""
    here: BaseException | None = error
    while here is not None:
        if isinstance(here, jax.errors.JaxRuntimeError) and _LOST.search(str(here)):
            return True
        here = here.__cause__ or here.__context__
    return False


@contextmanager
def together(advice: Callable[[], str]) -> Iterator[None]:
    """A context for what several processes do together: if one of them is lost, the others leave, with status 75.

    `advice` says what to do then.
    """
    try:
        yield
    except Exception as e:
        if jax.process_count() == 1 or not is_loss(e):
            raise
        first = next((line.strip() for line in str(e).splitlines() if line.strip()), type(e).__name__)
        leave(
            f"compose: process {jax.process_index()} of {jax.process_count()} lost another one and leaves with status "
            f"{AGAIN}: {first[:300]}\ncompose: {advice()}",
            AGAIN,
        )


def leave(message: str, status: int) -> None:
    """Print a message on stderr and end the process, without the handlers that wait for others."""
    print(message, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def fail(message: str, status: int = 1) -> None:
    """Print a message on stderr and exit; at once if others wait for this process."""
    if jax.distributed.is_initialized():
        leave(message, status)
    print(message, file=sys.stderr)
    sys.exit(status)


def leave_on_errors() -> None:
    """From now on an exception that nothing catches ends the process at once; the others notice, and leave too."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if jax.distributed.is_initialized() and jax.process_count() > 1:
            text = "".join(traceback.format_exception(kind, error, trace)).rstrip()
            leave(text, AGAIN if is_loss(error) else 130 if issubclass(kind, KeyboardInterrupt) else 1)
        before(kind, error, trace)

    sys.excepthook = hook
