"""Keys by which two functions made anew are the same: `optax.adam(1e-3)` twice, or a lambda written in a loop.

Compiled steps are looked up by these keys. Two functions have the same key if their code, defaults, captured values
and globals are the same, recursively: all that determines what tracing them gives.
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
import enum
import functools
import hashlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from compose.core.layer import Layer
from compose.train.globals_of import globals_of, installed, of_library

_ATOMS = (bool, int, str, bytes, type(None), type(...), type(NotImplemented), np.dtype, enum.Enum, range)
_DESCRIPTORS = (
    types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType,
    type(vars(collections.namedtuple("_Pair", "first"))["first"]),
)  # fmt: skip
_REFLECTIVE = ("globals", "locals", "vars", "eval", "exec", "__import__")
_JITTED = type(jax.jit(len))


def structural_key(value: Any) -> Any:
    """A hashable key, equal for values that compute the same; `value` itself if its contents cannot be read.

    Numbers, strings, arrays, containers and the attributes of objects count by their contents at the time of the
    call, so the key of something that has changed differs. Functions and classes of installed libraries count as
    themselves. The key keeps alive what it identifies by its address, so that no address is reused.
    """
    try:
        return _Walk().of(value)
    except _Unreadable:
        return value


def by_structure(build: Callable[[Callable[[], tuple]], Any], kept: int = 32) -> Callable:
    """A function of values that calls `build(values)` and remembers its last results by the keys of the values.

    `values()` are those of the latest call. What is built reads them when it is traced: those of an earlier call have
    the same key, but may have changed since; even the schedules of optax change what they captured when they run.
    """
    results: collections.OrderedDict[Any, tuple[list[tuple], Any]] = collections.OrderedDict()

    @functools.wraps(build)
    def remembered(*values: Any) -> Any:
        key = tuple(map(structural_key, values))
        latest, result = results.pop(key, ([], None))
        latest[:] = [values]
        if result is None:
            result = build(lambda: latest[0])
        results[key] = latest, result
        if len(results) > kept:
            results.popitem(last=False)
        return result

    return remembered


class _Unreadable(Exception):
    """A value whose contents cannot be read or may change unseen, such as a file or a generator."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Itself:
    """Equal only for the same object."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class _Walk:
    """One walk over a value. What is met again becomes its number, since functions may refer to themselves."""

    def __init__(self) -> None:
        self.met: dict[int, tuple[int, Any]] = {}

    def of(self, v: Any) -> Any:
        if isinstance(v, float):
            return type(v), v.hex()  # 0.0 and -0.0 differ, NaN equals NaN
        if isinstance(v, complex):
            return type(v), v.real.hex(), v.imag.hex()
        if isinstance(v, _ATOMS):
            return type(v), v
        if isinstance(v, (np.ndarray, np.generic, jax.Array)):
            return _array(v)
        if type(v) is object or isinstance(v, (*_DESCRIPTORS, np.ufunc)) or of_library(v) or _of_a_type(v):
            return _Itself(v)
        if id(v) in self.met:
            return _Walk, self.met[id(v)][0]
        self.met[id(v)] = len(self.met), v  # held, so that its address is not reused in this walk
        return self.of(type(v)), self._contents(v)

    def _contents(self, v: Any) -> Any:
        if isinstance(v, types.FunctionType):
            return self._function(v)
        if isinstance(v, (types.MethodType, classmethod, staticmethod)):
            return self.of(v.__func__), self.of(getattr(v, "__self__", None))
        if isinstance(v, functools.partial):
            return self.of(v.func), self.of(v.args), self.of(v.keywords)
        if isinstance(v, _JITTED):
            return self.of(vars(v)["__wrapped__"])
        if isinstance(v, (tuple, list)):
            return tuple(map(self.of, v))
        if isinstance(v, dict):
            return tuple((self.of(k), self.of(item)) for k, item in v.items())
        if isinstance(v, (set, frozenset)) and all(isinstance(item, _ATOMS) for item in v):
            return frozenset(map(self.of, v))
        if isinstance(v, property):
            return self.of((v.fget, v.fset, v.fdel))
        if isinstance(v, type):
            return self._class(v)
        if isinstance(v, Layer):
            return tuple(self.of(getattr(v, f.name)) for f in dataclasses.fields(v))
        if _written_in_python(type(v)) or type(v) is types.SimpleNamespace:
            return self._attributes(v)
        raise _Unreadable

    def _attributes(self, v: Any) -> Any:
        return tuple((name, self.of(item)) for name, item in vars(v).items())

    def _class(self, cls: type) -> Any:
        ignored = ("__dict__", "__weakref__", "__doc__", "__module__", "_abc_impl")
        derived = ("__dataclass_", "__annot")  # what they say is in the other members too
        members = ((n, m) for n, m in vars(cls).items() if n not in ignored and not n.startswith(derived))
        return _Itself(cls), self.of(cls.__bases__), tuple((n, self.of(m)) for n, m in members)

    def _function(self, f: types.FunctionType) -> Any:
        captured = tuple(map(self._cell, f.__closure__ or ()))
        own = self.of((f.__defaults__, f.__kwdefaults__)), self._attributes(f)
        return f.__code__, captured, own, tuple(self._globals(f))

    def _cell(self, cell: types.CellType) -> Any:
        try:
            return self.of(cell.cell_contents)
        except ValueError:  # not assigned yet
            return None

    def _globals(self, f: types.FunctionType) -> Iterator[Any]:
        """A library's globals count as themselves; those of other modules are read."""
        library = installed(f.__module__ or "")
        for name, attributes in globals_of(f.__code__):
            if name in f.__globals__:
                value = f.__globals__[name]
                yield name, _Itself(value) if library else self._along(value, attributes)
            elif not library and (name in _REFLECTIVE or not (hasattr(builtins, name) or installed(name))):
                raise _Unreadable

    def _along(self, value: Any, attributes: tuple[str, ...]) -> Any:
        """A global, or what `module.a.b` refers to: of a module, only what is read counts."""
        for name in attributes:
            if not isinstance(value, types.ModuleType) or installed(value.__name__):
                break
            value = getattr(value, name, None)
        return self.of(value)


def _written_in_python(cls: type) -> bool:
    """Whether an object of the class holds nothing but its attributes."""
    return hasattr(cls, "__dict__") and cls.__basicsize__ <= _Empty.__basicsize__ and cls.__dictoffset__ != 0


def _of_a_type(v: Any) -> bool:
    """Whether a function written in C belongs to a module or a class; one of an object reads the object."""
    return isinstance(v, types.BuiltinFunctionType) and isinstance(v.__self__, (type, types.ModuleType, type(None)))


class _Empty:
    """What an object without attributes takes."""


def _array(a: Any) -> Any:
    if isinstance(a, Tracer):
        raise _Unreadable
    if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        return str(a.dtype), _array(jax.random.key_data(a))
    held = np.asarray(a)
    if held.dtype.hasobject or (isinstance(a, np.ndarray) and type(a) is not np.ndarray):
        raise _Unreadable
    weak = bool(getattr(a, "weak_type", False))
    return type(a), str(held.dtype), held.shape, weak, hashlib.sha256(held.tobytes()).digest()
