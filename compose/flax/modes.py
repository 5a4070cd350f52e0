"""Training or inference mode of a Flax module: the call's argument for it, whatever its name."""

from __future__ import annotations

import inspect
from typing import Any

_WHEN_TRAINING = {
    "train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False,
}  # fmt: skip


def mode(module: Any, train: bool) -> dict[str, bool]:
    """The arguments of the module's call that select training or inference, except those fixed on the module."""
    parameters = inspect.signature(type(module).__call__).parameters
    return {
        name: when == train
        for name, when in _WHEN_TRAINING.items()
        if name in parameters and getattr(module, name, None) is None
    }
