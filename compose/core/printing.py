"""The text of a value: the shortest expression that builds it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from compose.core.hooks import hooks
from compose.core.initializer import Initializer
from compose.core.layer import Layer
from compose.core.registry import is_namespace, known, words


@dataclass(frozen=True)
class Call:
    """`head(a, b=c)`, or a tuple if the head is empty; a long call has one line per argument."""

    head: Doc
    args: tuple[Doc, ...]
    opening: str = "("
    closing: str = ")"


@dataclass(frozen=True)
class Operation:
    """`a + b + c`; a long operation is in parentheses and has one line per operand."""

    sign: str
    operands: tuple[Doc, ...]


Doc = Union[str, Call, Operation, tuple]  # a tuple is concatenated


def source(value: Any, width: int = 88) -> str:
    """The expression of a layer, function or initializer, with lines of at most `width` if possible."""
    return layout(Writer().value(value), width)


hooks.source = source


class Writer:
    """Converts values to documents. `names` are the variables of the enclosing `share`s, innermost last."""

    def __init__(self, names: tuple[str, ...] = ()):
        self.names = names

    def value(self, v: Any) -> Doc:
        if isinstance(v, (Layer, Initializer)):
            return v.source(self)
        if isinstance(v, tuple):
            return Call("", tuple(map(self.value, v)), closing=",)" if len(v) == 1 else ")")
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
        """A call whose arguments are documents, or pairs of a name and a document."""
        return Call(head, tuple(a if not _pair(a) else (f"{a[0]}=", a[1]) for a in args))

    def fields(self, layer: Layer, head: str | None = None) -> Doc:
        """A layer by its fields: required fields and layers by position, others by name if not the default."""
        args: list = []
        in_place = True
        for f in sorted(dataclasses.fields(layer), key=lambda f: f.kw_only is True):
            value = getattr(layer, f.name)
            if f.name == layer.starred:
                args += [self.value(v) for v in value]
                in_place = False
            elif _is_default(f, value):
                in_place = False
            elif in_place and not f.kw_only and (_required(f) or isinstance(value, Layer)):
                args.append(self.value(value))
            else:
                args.append((f.name, self.value(value)))
                in_place = False
        return self.call(head or layer.kind_of_class(), args)


def quoted(text: str) -> str:
    """A string literal in double quotes, as formatters write it."""
    plain = repr(text)
    return plain if '"' in text or "\\" in plain else f'"{plain[1:-1]}"'


def layout(doc: Doc, width: int, indent: int = 0, column: int | None = None, tail: int = 0) -> str:
    """Text of at most `width` columns if possible.

    The text starts at `column` of a line indented by `indent`; `tail` characters follow on its last line.
    """
    column = indent if column is None else column
    flat = _flat(doc)
    if column + len(flat) + tail <= width or isinstance(doc, str):
        return flat
    if isinstance(doc, tuple):
        return _row(doc, width, indent, column, tail)
    inner = " " * (indent + 4)
    if isinstance(doc, Operation):
        signs = ("", *[f"{doc.sign} "] * (len(doc.operands) - 1))
        texts = [_flat_operand(o, doc.sign, i == 0) for i, o in enumerate(doc.operands)]
        operands = zip(signs, doc.operands, texts)
        rows = [inner + s + _operand(o, flat, width, indent + 4, len(s)) for s, o, flat in operands]
        return "(\n" + "\n".join(rows) + f"\n{' ' * indent})"
    if not isinstance(doc.head, str) and all(isinstance(a, str) for a in doc.args):
        return _row((doc.head, _flat(Call("", doc.args, doc.opening, doc.closing))), width, indent, column, tail)
    if not doc.args:
        return flat
    head = layout(doc.head, width, indent, column, 1)
    rows = [f"{inner}{layout(a, width, indent + 4, tail=1)},\n" for a in doc.args]
    return f"{head}{doc.opening}\n{''.join(rows)}{' ' * indent}{doc.closing.lstrip(',')}"


def _row(parts: tuple, width: int, indent: int, column: int, tail: int) -> str:
    """Concatenated parts, the longest of which is broken into lines."""
    texts = [_flat(p) for p in parts]
    at = max(range(len(parts)), key=lambda i: len(texts[i]) * (not isinstance(parts[i], str)))
    before, after = "".join(texts[:at]), "".join(texts[at + 1 :])
    return before + layout(parts[at], width, indent, column + len(before), tail + len(after)) + after


def _flat(doc: Doc) -> str:
    match doc:
        case str():
            return doc
        case tuple():
            return "".join(map(_flat, doc))
        case Operation(sign, operands):
            return f" {sign} ".join(_flat_operand(o, sign, i == 0) for i, o in enumerate(operands))
        case Call(head, args, opening, closing):
            return f"{_flat(head)}{opening}{', '.join(map(_flat, args))}{closing}"


def enclosed(doc: Doc) -> str:
    """The text of an operand: an operation in parentheses, anything else unchanged."""
    return f"({_flat(doc)})" if isinstance(doc, Operation) else _flat(doc)


def _flat_operand(doc: Doc, sign: str, first: bool) -> str:
    """In parentheses if precedence requires it: neither a product in a sum nor the first operand needs any."""
    if isinstance(doc, Operation):
        binds = (doc.sign not in "+-") - (sign not in "+-")
        if binds > 0 or (first and binds == 0):
            return _flat(doc)
    return enclosed(doc)


def _operand(doc: Doc, flat: str, width: int, indent: int, column: int) -> str:
    fits = indent + column + len(flat) <= width
    parentheses = len(flat) - len(_flat(doc))
    return flat if fits else layout(doc, width, indent, indent + column, parentheses)


def free_name(name: str) -> str:
    """The name, with underscores appended until it is not a word of the language."""
    while known(name) or is_namespace(name):
        name += "_"
    return name


def _pair(arg: Any) -> bool:
    return isinstance(arg, tuple) and len(arg) == 2 and isinstance(arg[0], str) and arg[0].isidentifier()


def _required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _is_default(f: dataclasses.Field, value: Any) -> bool:
    default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    return type(default) is type(value) and default == value
