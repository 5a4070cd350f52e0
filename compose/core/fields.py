"""The fields of a layer: checked and converted when it is built."""

from __future__ import annotations

import dataclasses
import functools
import operator
import os
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from compose.core.errors import ConfigError

MISFIT = object()  # what a conversion returns for a value that the field does not take
_conversions: dict[type, Callable[[Any], Any]] = {}
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def converts_to(kind: type, convert: Callable[[Any], Any]) -> None:
    """Let fields annotated `kind` take every value that `convert` takes; it returns `MISFIT` for others."""
    _conversions[kind] = convert


def check(layer) -> None:
    """Convert and check every field in place, and record where the layer was built. Raises `ConfigError`."""
    if not layer.built_at:
        object.__setattr__(layer, "built_at", caller())
    for name, hint in _hints(type(layer)).items():
        value = getattr(layer, name)
        converted = _convert(value, hint)
        if converted is MISFIT:
            got = f"{type(value).__name__} {repr(value)[:100]}"
            raise ConfigError(f"{name} to be {_describe(hint)}", got).locate(layer_stub(layer))
        if converted is not value:
            object.__setattr__(layer, name, converted)
    name = layer.name
    if name is not None and (not name or "/" in name):
        raise ConfigError("a name that is not empty and has no '/'", repr(name)).locate(layer_stub(layer))
    validate = getattr(layer, "validate", None)
    if validate is not None:
        try:
            validate()
        except ConfigError as e:
            raise e.locate(layer) from None


@functools.cache
def fields_of(cls: type, kind: type) -> tuple[str, ...]:
    """The names of the fields of `cls` whose annotation is `kind`, or contains it as `kind | None` does."""
    return tuple(n for n, h in _hints(cls).items() if h is kind or kind in typing.get_args(h))


def caller() -> str:
    """The file and line of the innermost frame outside this package."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_PACKAGE, "<string>", "<frozen")) and "dataclasses.py" not in name:
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


class layer_stub:
    """Stands in for a layer that cannot be printed yet: its class and where it was built."""

    def __init__(self, layer):
        self.built_at, self.kind = layer.built_at, type(layer).__name__

    def __str__(self) -> str:
        return f"{self.kind}(...)"


@functools.cache
def _hints(cls) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _convert(value: Any, hint: Any) -> Any:
    """`value` as the annotation wants it, or MISFIT."""
    if hint is Any:
        return tuple(value) if isinstance(value, list) else value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        converted = (_convert(value, arg) for arg in args)
        return next((c for c in converted if c is not MISFIT), MISFIT)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return MISFIT
        return _convert_items(value, args)
    if origin is typing.Literal:
        return value if value in args else MISFIT
    if isinstance(hint, type) and hint in _conversions:
        return _conversions[hint](value)
    if hint is bool:
        return bool(value) if isinstance(value, (bool, np.bool_)) else MISFIT
    if hint is int:
        return int(value) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else MISFIT
    if hint is float:
        ok = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        return float(value) if ok and value == value else MISFIT  # a nan would not even equal itself
    if hint in (str, type(None)):
        return value if isinstance(value, hint) else MISFIT
    return value


def _convert_items(items: tuple | list, args: tuple) -> Any:
    hints = args[:1] * len(items) if args[-1] is Ellipsis else args
    if len(hints) != len(items):
        return MISFIT
    converted = list(map(_convert, items, hints))
    if any(c is MISFIT for c in converted):
        return MISFIT
    unchanged = type(items) is tuple and all(map(operator.is_, converted, items))
    return items if unchanged else tuple(converted)


def _describe(hint) -> str:
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, args))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(map(_describe, args))
    if typing.get_origin(hint) is tuple:
        return f"a tuple of {_describe(args[0])}" if args[-1] is Ellipsis else f"{len(args)} values"
    plain = {int: "an int", float: "a number", bool: "True or False", str: "a string", type(None): "None"}
    name = str(getattr(hint, "__name__", hint))
    return plain.get(hint, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")
