"""The closed registry: the words that an expression may use, and what they mean."""

from __future__ import annotations

import difflib
from typing import Any

from compose.core.errors import ConfigError, ParseError

_words: dict[str, Any] = {}
_aliases: dict[int, tuple[Any, Any]] = {}  # a foreign function's id: the function, kept alive, and what it means


def add_word(name: str, value: Any, *aliases: Any) -> None:
    """Make `name` mean `value`; `aliases` are foreign functions that lift to it.

    Raises `ConfigError` if the name has another meaning already. A class or function defined again
    under the same name in the same module replaces itself, as when a notebook cell runs twice.
    """
    if not name.isidentifier():
        raise ConfigError(f"a name that is a Python identifier, not {name!r}")
    old = _words.get(name)
    if old is not None and _origin(old) != _origin(value):
        raise ConfigError(f"a name that is free: {name!r} is registered already", hint="rename yours")
    _words[name] = value
    for alias in aliases:
        add_alias(alias, value)


def add_alias(foreign: Any, value: Any) -> None:
    """Let a foreign function lift to `value`, a word with or without options."""
    _aliases[id(foreign)] = (foreign, value)


def word(name: str) -> Any:
    """What `name` means. Raises `ParseError` with the nearest names if it means nothing."""
    if name in _words:
        return _words[name]
    near = [] if len(name) > 80 else difflib.get_close_matches(name, _words, n=3, cutoff=0.65)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ParseError(f"unknown name {name[:80]!r}{hint} (own functions and layers join with @compose.register)")


def known(name: str) -> bool:
    return name in _words


def alias_of(value: Any) -> Any | None:
    """The registered value that a foreign function stands for, or None."""
    return _aliases.get(id(value), (None, None))[1]


def words() -> dict[str, Any]:
    """A copy of the whole vocabulary."""
    return dict(_words)


def _origin(value: Any) -> tuple:
    target = getattr(value, "fn", value)
    return (
        type(value).__name__,
        getattr(target, "__module__", None),
        getattr(target, "__qualname__", repr(target)),
    )
