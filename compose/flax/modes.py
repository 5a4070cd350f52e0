"""Whether a Flax module trains: the argument that says it, whatever it is called."""

from __future__ import annotations

import inspect
from typing import Any

_WHEN_TRAINING = {
    "train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False,
}  # fmt: skip


def mode(module: Any, train: bool) -> dict[str, bool]:
    """The arguments of the module's call that tell training from inference; none that the module itself fixes."""
    named = inspect.signature(type(module).__call__).parameters
    return {
        name: when == train
        for name, when in _WHEN_TRAINING.items()
        if name in named and getattr(module, name, None) is None
    }
