"""The error for an unknown name of a loss, metric or optimizer, and for one of another library."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable

from compose.core.errors import ConfigError

_OTHERS = ("keras", "sklearn", "tensorflow", "tf_keras", "torch", "torchmetrics")


def unknown(what: str, name: object, known: Iterable[str], alternative: str) -> ConfigError:
    """The error for an unknown name, with the closest known names as a hint.

    `alternative` describes what is accepted besides a name.
    """
    known = list(known)
    near = _near(_name_of(name), known)
    hint = f"did you mean {' or '.join(near)}?" if near else ""
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


def _near(name: str, known: list[str]) -> list[str]:
    """The names that one means: contained in it, its initials or beginning, or else spelt alike."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")  # CrossEntropyLoss
    plain, initials = "".join(words), "".join(word[:1] for word in words)
    if not plain:
        return []
    within = [k for k in known if k.replace("_", "") in plain]  # sparse_categorical_crossentropy
    if within:
        return [max(within, key=len)]
    short = [k for k in known if k == initials]  # mean_squared_error
    long = [k for k in known if len(plain) > 1 and plain.startswith("".join(word[:1] for word in k.split("_")))]  # bce
    begun = [k for k in known if len(plain) > 2 and k.startswith(plain)]  # acc
    return short or [k for k in long if "_" in k] or begun or difflib.get_close_matches(name.lower(), known, n=2)
