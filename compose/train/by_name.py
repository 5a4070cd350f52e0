"""The error for an unknown name of a loss, metric or optimizer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from compose.core.errors import ConfigError


def unknown(what: str, name: object, known: Iterable[str], alternative: str) -> ConfigError:
    """The error for an unknown name, with the closest known names as a hint.

    `alternative` describes what is accepted besides a name.
    """
    known, plain = list(known), str(name).replace("_", "")
    near = difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
    near += [k for k in known if k not in near and k.replace("_", "") in plain]  # sparse_categorical_crossentropy
    near += [k for k in known if k == "".join(word[:1] for word in str(name).split("_"))]  # mean_squared_error
    hint = f"did you mean {' or '.join(near)}?" if near else ""
    return ConfigError(f"the name of {what} ({', '.join(known)}) or {alternative}", repr(name), hint)
