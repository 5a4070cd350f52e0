"""Warnings that point at the line of the user's code."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def warn(message: str) -> None:
    """Warn, as of the line outside of this package that called into it."""
    level, frame, caller = 1, sys._getframe(), 1
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            caller = level + 1
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=caller)
