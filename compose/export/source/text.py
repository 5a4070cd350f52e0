"""Small pieces of text: numbers, arguments, tuples of values, what the head of a file says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compose.core.layer import Layer
from compose.export.source.value import Value


def options(layer: Any) -> dict[str, Any]:
    return dict(layer.options)


def number(value: Any) -> str:
    """A number as an expression."""
    value = float(value) if isinstance(value, float) else value
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def arguments(given: dict[str, Any]) -> str:
    return ", ".join(f"{k}={number(v)}" for k, v in given.items())


def same(values: Any) -> Any:
    """One number where all are equal, else a tuple."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 else values


def layout(y: Any) -> str:
    """The text of an output, nested tuples of values."""
    if isinstance(y, Value):
        return y.text
    inside = ", ".join(map(layout, y))
    return f"({inside}{',' * (len(y) == 1)})"


def described(label: str, leaf: Any) -> str:
    """A line about an input."""
    sizes = ", ".join(["batch", *map(str, leaf.shape[1:])]) if leaf.ndim else ""
    return f"Input {label}: ({sizes}), {np.dtype(leaf.dtype).name}."


def expression(net: Layer) -> str:
    """The network's own text, indented, as it may stand in a docstring."""
    return "\n".join(f"    {line}" for line in str(net).replace("\\", "\\\\").replace('"""', "'''").splitlines())


def has_doubles(weights: dict[str, Any]) -> bool:
    return any(np.dtype(a.dtype) == np.float64 for a in weights.values())
