"""`load`: a trained network from its model file."""

from __future__ import annotations

import os
from typing import Any

from compose.train.file import read_model
from compose.train.loss_scale import LossScale
from compose.train.optimizer_state import Stored
from compose.train.session import Session
from compose.train.trained import Trained


def load(path: str | os.PathLike) -> Trained:
    """Read a model file, or a checkpoint of `fit(checkpoint=...)`.

    If the optimizer's state is in it, a later `fit` with the same optimizer goes on with it. Custom functions and
    layers must be registered first: import the module that registers them.

    Raises `FileError` for a file that is damaged, truncated, of a newer format or not a model file, and for
    weights that do not match the network in it.
    """
    net, params, state, history, inputs, training, names = read_model(path)
    session = None if training is None else session_of(training)
    return Trained(net, params, state, history, inputs, session, names=names)


def session_of(kept: dict[str, Any], options: dict[str, Any] | None = None) -> Session:
    """The session from what a file keeps of it, see `session_values`."""
    scale = None if kept["scale"] is None else LossScale(*kept["scale"])
    return Session(
        options or {}, None, None, Stored(kept["optimizer"]), kept["steps"], scale, kept["rate"], kept["raw"]
    )
