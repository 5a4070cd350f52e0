"""The closed registry: the names that an expression may use, and their meanings."""

from __future__ import annotations

import difflib
from typing import Any

from compose.core.errors import ConfigError, ParseError

_words: dict[str, Any] = {}
_namespaces: set[str] = set()  # of names such as `ops.exp`
_aliases: dict[int, tuple[Any, Any]] = {}  # by id: a foreign function, kept alive, and its meaning


def add_word(name: str, value: Any, *aliases: Any) -> None:
    """Register `name` for `value`; `aliases` are foreign functions that convert to it.

    Raises `ConfigError` if the name already has another meaning. A class or function defined again under the
    same name in the same module replaces the old one, as when a notebook cell runs twice.
    """
    *namespace, last = name.split(".")
    if not last.isidentifier() or name in _namespaces:
        raise ConfigError(f"a Python identifier other than a namespace, not {name!r}")
    old = _words.get(name)
    if old is not None and _origin(old) != _origin(value):
        raise ConfigError(f"a name that is free: {name!r} is registered already", hint="rename yours")
    _words[name] = value
    _namespaces.update(namespace)
    for alias in aliases:
        add_alias(alias, value)


def add_alias(foreign: Any, value: Any) -> None:
    """Convert a foreign function to `value`, a registered function with or without options."""
    _aliases[id(foreign)] = (foreign, value)


def word(name: str) -> Any:
    """The meaning of `name`. Raises `ParseError` with the nearest names if it has none."""
    if name in _words:
        return _words[name]
    near = [] if len(name) > 80 else difflib.get_close_matches(name, _words, n=3, cutoff=0.65)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ParseError(f"unknown name {name[:80]!r}{hint} (register custom functions and layers with @compose.register)")


def known(name: str) -> bool:
    return name in _words


def is_namespace(name: str) -> bool:
    """Whether names such as `ops.exp`, for `name` "ops", are registered."""
    return name in _namespaces


def alias_of(value: Any) -> Any | None:
    """The registered value of a foreign function, or None."""
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
