"""Whether a Keras model trains: as an argument of its call, where it takes one."""

from __future__ import annotations

from typing import Any


def mode(model: Any, training: bool) -> dict[str, bool]:
    """The argument of a model's call that says whether it trains, where it takes one, as `fit` gives it."""
    return {"training": training} if model._call_has_training_arg else {}
