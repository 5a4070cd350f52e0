"""`load`: a trained network from its model file."""

from __future__ import annotations

import os

from compose.train.file import read_model
from compose.train.trained import Trained


def load(path: str | os.PathLike) -> Trained:
    """Read a model file.

    Custom functions and layers must be registered first: import the module that registers them.

    Raises `FileError` for a file that is damaged, truncated, of a newer format or not a model file, and for
    weights that do not match the network in it.
    """
    return Trained(*read_model(path))
