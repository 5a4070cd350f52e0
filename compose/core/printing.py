"""The expression of a value: the shortest text that builds it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from compose.core.initializer import Initializer
from compose.core.layer import Layer
from compose.core.registry import words


@dataclass(frozen=True)
class Call:
    """`head(a, b=c)`: what a line may be broken in."""

    head: str
    args: tuple[Doc, ...]
    close: str = ")"


Doc = Union[str, Call, tuple]  # a tuple is its parts in a row


def source(value: Any, width: int = 88) -> str:
    """The expression of a layer, function or initialiser, broken where a line is longer than `width`."""
    return layout(Writer().value(value), width)


class Writer:
    """Turns values into documents. `names` are what the shared layers around are called, innermost last."""

    def __init__(self, names: tuple[str, ...] = ()):
        self.names = names

    def value(self, v: Any) -> Doc:
        if isinstance(v, (Layer, Initializer)):
            return v.source(self)
        if isinstance(v, tuple):
            return Call("(", tuple(map(self.value, v)), ",)" if len(v) == 1 else ")")
        if isinstance(v, dict):
            return Call("{", tuple((repr(k) + ": ", self.value(x)) for k, x in v.items()), "}")
        if isinstance(v, str):
            return quoted(v)
        if isinstance(v, (bool, int, type(None))):
            return repr(v)
        if isinstance(v, float):
            return repr(v) if np.isfinite(v) else {"inf": "inf", "-inf": "-inf"}.get(str(v), "nan")
        for name, meaning in words().items():
            if meaning is v:
                return name
        return getattr(v, "__name__", repr(v))

    def call(self, head: str, args: list) -> Doc:
        """`args` are documents, or pairs of a name and a document."""
        return Call(head + "(", tuple(a if not _pair(a) else (f"{a[0]}=", a[1]) for a in args))

    def fields(self, layer: Layer, head: str | None = None) -> Doc:
        """A layer by its fields: those without a default in their place, others by name where they differ."""
        args: list = []
        in_place = True
        for f in sorted(dataclasses.fields(layer), key=lambda f: f.kw_only is True):
            value = getattr(layer, f.name)
            if f.name == layer.starred:
                args += [self.value(v) for v in value]
                in_place = False
            elif _is_default(f, value):
                in_place = False
            elif in_place and not f.kw_only:
                args.append(self.value(value))
            else:
                args.append((f.name, self.value(value)))
        return self.call(head or layer.kind_of_class(), args)


def quoted(text: str) -> str:
    """A string literal in double quotes, as formatters write it."""
    plain = repr(text)
    return plain if '"' in text or "\\" in plain else f'"{plain[1:-1]}"'


def layout(doc: Doc, width: int, indent: int = 0, tail: int = 0) -> str:
    """Text of at most `width` columns where that can be; `tail` is what follows on the last line."""
    flat = _flat(doc)
    if indent + len(flat) + tail <= width or isinstance(doc, str):
        return flat
    if isinstance(doc, tuple):
        parts = [_flat(d) for d in doc[:-1]]
        return "".join(parts) + layout(doc[-1], width, indent, tail)
    if not doc.args:
        return flat
    inner = " " * (indent + 4)
    rows = [f"{inner}{layout(a, width, indent + 4, 1)},\n" for a in doc.args]
    return f"{doc.head}\n{''.join(rows)}{' ' * indent}{doc.close.lstrip(',')}"


def _flat(doc: Doc) -> str:
    if isinstance(doc, str):
        return doc
    if isinstance(doc, tuple):
        return "".join(map(_flat, doc))
    return doc.head + ", ".join(map(_flat, doc.args)) + doc.close


def _pair(arg: Any) -> bool:
    return isinstance(arg, tuple) and len(arg) == 2 and isinstance(arg[0], str) and arg[0].isidentifier()


def _is_default(f: dataclasses.Field, value: Any) -> bool:
    default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    return type(default) is type(value) and default == value
