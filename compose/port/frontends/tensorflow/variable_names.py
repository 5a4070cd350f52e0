"""Names for variables: their own where those tell them apart, else what the function's author calls them."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


def names_of(variables: list, function: Any, owner: Any) -> dict[int, str]:
    """A name for each variable, by its id.

    `tf.Variable` without a name is called "Variable", all of them: then it is the attribute of the module, or the
    name in the function's scope, as `weights.0`.
    """
    own = {id(v): v.name.partition(":")[0] for v in variables}
    counts = Counter(own.values())
    said: dict[int, str] = {}
    for name, v in (*_attributes(owner, ""), *_scope(function)):
        said.setdefault(id(v), name)
    made: dict[int, str] = {}
    for key, name in own.items():
        plain = counts[name] > 1 or name == "Variable"
        made[key] = _unique(said.get(key, name) if plain else name, made)
    return made


def _unique(name: str, made: dict[int, str]) -> str:
    taken, n, first = set(made.values()), 1, name
    while name in taken:
        name, n = f"{first}_{n}", n + 1
    return name


def _scope(function: Any) -> Iterator[tuple[str, Any]]:
    plain = getattr(function, "python_function", function)
    plain = inspect.unwrap(plain) if callable(plain) else plain
    owner = getattr(plain, "__self__", None)
    if owner is not None:
        yield from _attributes(owner, "")
    plain = getattr(plain, "__func__", plain)
    if inspect.isfunction(plain):
        seen = inspect.getclosurevars(plain)
        for name, value in {**seen.globals, **seen.nonlocals}.items():
            yield from _within(value, name)


def _attributes(owner: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(owner).items()) if hasattr(owner, "__dict__") else ():
        if not name.startswith("_"):
            yield from _within(value, f"{prefix}{name}")


def _within(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tf.Variable):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield from _within(part, f"{name}.{i}")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _within(part, f"{name}.{key}")
    elif isinstance(value, tf.Module):
        yield from _attributes(value, f"{name}.")
