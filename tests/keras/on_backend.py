"""A program that runs with Keras on a backend, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def printed(program: str, backend: str) -> str:
    """What the program prints, which must end without an error."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=500, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()
