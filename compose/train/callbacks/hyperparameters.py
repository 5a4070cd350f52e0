"""The hyper-parameters of a training, as TensorBoard compares them over several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compose.core.errors import ConfigError

OF_FIT = (
    "loss", "optimizer", "learning_rate", "batch_size", "l1", "l2", "clip", "accumulate", "ema", "freeze",
    "class_weight", "precision", "seed",
)  # fmt: skip


def hyperparameters(options: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """The options of `fit` that were given and have a short text, and `more`, by name."""
    found = {name: _short(options.get(name)) for name in OF_FIT}
    return {name: value for name, value in found.items() if value not in (None, "")} | dict(more)


def check(given: Any) -> None:
    """Raise `ConfigError` for what TensorBoard cannot compare."""
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and isinstance(value, (bool, int, float, str)) for name, value in given.items()
    ):
        raise ConfigError("hyper-parameters as a dict from names to numbers, words or bools", repr(given))


def _short(value: Any) -> bool | float | str | None:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, map(_short, value)))
    text = str(value)
    return getattr(value, "__name__", type(value).__name__) if " at 0x" in text else text
