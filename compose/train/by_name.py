"""The error for an unknown name of a loss, metric or optimizer, and for one of another library."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from compose.core.errors import ConfigError
from compose.core.keywords import near

_OTHERS = ("keras", "sklearn", "tensorflow", "tf_keras", "torch", "torchmetrics")


def unknown(what: str, name: object, known: Iterable[str], alternative: str) -> ConfigError:
    """The error for an unknown name, with the closest known names as a hint.

    `alternative` describes what is accepted besides a name.
    """
    known = list(known)
    closest = near(_name_of(name), known)
    hint = f"did you mean {' or '.join(closest)}?" if closest else ""
    return ConfigError(f"the name of {what} ({', '.join(known)}) or {alternative}", repr(name), hint)


def of_another_library(value: object) -> bool:
    """Whether a loss, metric or optimizer is that of a library whose arrays or order of arguments are not JAX's."""
    plain = value.func if isinstance(value, functools.partial) else value
    module = getattr(plain, "__module__", None) or type(plain).__module__
    return module.split(".")[0] in _OTHERS


def _name_of(value: object) -> str:
    """What another library calls it: a name, a function, a class or one made of a class."""
    if isinstance(value, str):
        return value
    return getattr(value, "__name__", type(value).__name__) if of_another_library(value) else ""
