"""The fields of a layer: checked and lifted when it is built."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import types
import typing
from typing import Any

import numpy as np

from compose.core.errors import ConfigError
from compose.core.initializer import Initializer
from compose.core.registry import known, word

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def check(layer) -> None:
    """Lift and check every field in place, and note where the layer was built. Raises `ConfigError`."""
    if not layer.built_at:
        object.__setattr__(layer, "built_at", caller())
    for name, hint in _hints(type(layer)).items():
        value = getattr(layer, name)
        lifted = _fit(value, hint)
        if lifted is _MISFIT:
            raise ConfigError(f"{name} to be {_said(hint)}", f"{type(value).__name__} {repr(value)[:100]}").locate(
                layer_stub(layer)
            )
        if lifted is not value:
            object.__setattr__(layer, name, lifted)
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
def layer_fields(cls) -> tuple[str, ...]:
    """The fields that hold one layer each."""
    from compose.core.layer import Layer

    return tuple(n for n, h in _hints(cls).items() if h is Layer or Layer in typing.get_args(h))


def caller() -> str:
    """The file and line outside this package that is being run."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_PACKAGE, "<string>", "<frozen")) and "dataclasses.py" not in name:
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


class layer_stub:
    """Stands for a layer too broken to print: its class and where it was built."""

    def __init__(self, layer):
        self.built_at, self.kind = layer.built_at, type(layer).__name__

    def __str__(self) -> str:
        return f"{self.kind}(...)"


_MISFIT = object()


@functools.cache
def _hints(cls) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _fit(value: Any, hint: Any) -> Any:
    """`value` as the annotation wants it, or _MISFIT."""
    from compose.core.layer import Layer, as_layer

    if hint is Any:
        return tuple(value) if isinstance(value, list) else value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        fits = (_fit(value, arg) for arg in args)
        return next((f for f in fits if f is not _MISFIT), _MISFIT)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return _MISFIT
        each = args[:1] * len(value) if args[-1] is Ellipsis else args
        fits = [_fit(v, a) for v, a in zip(value, each)] if len(each) == len(value) else [_MISFIT]
        return (
            _MISFIT
            if _MISFIT in fits
            else (value if all(map(_is, fits, value)) and type(value) is tuple else tuple(fits))
        )
    if origin is typing.Literal:
        return value if value in args else _MISFIT
    if hint is Layer:
        return as_layer(value)
    if hint is Initializer:
        if isinstance(value, str) and known(value):
            value = word(value)
        return value if isinstance(value, Initializer) else _MISFIT
    if hint is bool:
        return bool(value) if isinstance(value, (bool, np.bool_)) else _MISFIT
    if hint is int:
        return int(value) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else _MISFIT
    if hint is float:
        ok = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        return float(value) if ok and value == value else _MISFIT  # a nan would not even equal itself
    if hint in (str, type(None)):
        return value if isinstance(value, hint) else _MISFIT
    return value


def _is(a, b) -> bool:
    return a is b


def _said(hint) -> str:
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, args))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(map(_said, args))
    if typing.get_origin(hint) is tuple:
        return f"a tuple of {_said(args[0])}" if args[-1] is Ellipsis else f"{len(args)} values"
    plain = {int: "an int", float: "a number", bool: "True or False", str: "a string", type(None): "None"}
    return plain.get(hint, f"a {getattr(hint, '__name__', hint)}")
