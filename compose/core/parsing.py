"""Reading an expression back: a walk over Python's syntax tree and the closed registry, never `eval`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from compose.core.errors import ConfigError, ParseError
from compose.core.initializer import Initializer
from compose.core.layer import Layer, as_layer
from compose.core.registry import known, word

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 200

Names = dict[str, Any]


def parse(text: str) -> Layer:
    """The network that `text` says: `parse(str(net)) == net`.

    Only registered words, literals, `+ * - / @ >>`, indexing, and the lambdas of `graph` and `share` are
    read; nothing else is looked at, nothing is imported and nothing runs but the layers' constructors.

    Raises `ParseError` with the place for anything else, `ConfigError` for arguments that a layer refuses.
    """
    if len(text) > MAX_CHARACTERS:
        raise ParseError(f"an expression of {len(text)} characters; at most {MAX_CHARACTERS} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        value = _Reader(text.strip()).read(tree, {}, 0)
    except SyntaxError as e:
        raise ParseError(f"not an expression: {e.msg}, line {e.lineno}, column {e.offset}") from None
    except (RecursionError, MemoryError, ValueError) as e:
        if isinstance(e, (ParseError, ConfigError)):
            raise
        raise ParseError(f"not an expression that can be read: {str(e) or type(e).__name__}") from None
    try:
        return as_layer(value)
    except ConfigError:
        raise ParseError(f"not a layer: {text.strip()[:80]!r}") from None


class _Reader:
    def __init__(self, text: str):
        self.text = text

    def read(self, node: ast.expr, names: Names, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.error(node, f"an expression nested deeper than {MAX_DEPTH}")
        method: Callable | None = getattr(self, "_" + type(node).__name__, None)
        if method is None:
            raise self.error(node, f"{type(node).__name__} is not part of the language")
        return method(node, names, depth + 1)

    def error(self, node: ast.AST, message: str) -> ParseError:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        segment = (ast.get_source_segment(self.text, node) or "")[:80]
        return ParseError(f"{message}: line {line}, column {column + 1}, {segment!r}")

    def _Constant(self, node: ast.Constant, names: Names, depth: int):
        if node.value is Ellipsis or isinstance(node.value, (int, float, str, bool, type(None))):
            return node.value
        raise self.error(node, f"a {type(node.value).__name__} is not part of the language")

    def _Name(self, node: ast.Name, names: Names, depth: int):
        if node.id in names:
            return names[node.id]
        try:
            return word(node.id)
        except ParseError as e:
            raise self.error(node, str(e)) from None

    def _Tuple(self, node, names: Names, depth: int):
        return tuple(self.read(e, names, depth) for e in node.elts)

    def _List(self, node, names: Names, depth: int):
        return self._Tuple(node, names, depth)

    def _Dict(self, node: ast.Dict, names: Names, depth: int):
        if None in node.keys:
            raise self.error(node, "** is not part of the language")
        return {self.read(k, names, depth): self.read(v, names, depth) for k, v in zip(node.keys, node.values) if k}

    def _UnaryOp(self, node: ast.UnaryOp, names: Names, depth: int):
        value = self.read(node.operand, names, depth)
        if isinstance(node.op, ast.USub) and (isinstance(value, (int, float)) or _is_node(value)):
            return -value
        raise self.error(node, "this operator is not part of the language")

    def _BinOp(self, node: ast.BinOp, names: Names, depth: int):
        a, b = self.read(node.left, names, depth), self.read(node.right, names, depth)
        op = _OPERATORS.get(type(node.op))
        if op is None or not any(isinstance(v, (Layer, type)) or _is_node(v) for v in (a, b)):
            raise self.error(node, "operators join layers, nothing else")
        try:
            return op(a, b)
        except TypeError:
            raise self.error(node, "these cannot be joined") from None

    def _Call(self, node: ast.Call, names: Names, depth: int):
        target = self.read(node.func, names, depth)
        if not (isinstance(target, (Layer, Initializer)) or callable(target)) or _is_node(target):
            raise self.error(node, "this cannot be called")
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise self.error(node, "* and ** are not part of the language")
        args = [self.read(a, names, depth) for a in node.args]
        options = {k.arg or "": self.read(k.value, names, depth) for k in node.keywords}
        try:
            return target(*args, **options)
        except TypeError as e:
            raise self.error(node, str(e).replace("__init__() ", "")) from None

    def _Lambda(self, node: ast.Lambda, names: Names, depth: int):
        a = node.args
        if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults:
            raise self.error(node, "a lambda here takes plain arguments")
        params = [arg.arg for arg in a.args]
        taken = [p for p in params if known(p)]
        if taken:
            raise self.error(node, f"{taken[0]!r} is a word of the language")

        def run(*values):
            if len(values) != len(params):
                raise self.error(node, f"this lambda takes {len(params)} arguments, not {len(values)}")
            return self.read(node.body, {**names, **dict(zip(params, values))}, depth)

        run.__signature__ = _signature(params)  # pyright: ignore[reportFunctionMemberAccess]
        return run

    def _NamedExpr(self, node: ast.NamedExpr, names: Names, depth: int):
        if not names or known(node.target.id):
            raise self.error(node, ":= belongs in a graph, with a name that is no word of the language")
        names[node.target.id] = value = self.read(node.value, names, depth)
        return value

    def _Attribute(self, node: ast.Attribute, names: Names, depth: int):
        value = self.read(node.value, names, depth)
        if getattr(value, "refers", False) and not node.attr.startswith("_"):
            return value.method_named(node.attr)
        raise self.error(node, "attributes belong to what share() shares")

    def _Subscript(self, node: ast.Subscript, names: Names, depth: int):
        value = self.read(node.value, names, depth)
        if isinstance(value, tuple) and names:
            at = self.read(node.slice, names, depth)
            if at == -1 and value:
                return value[-1]
        if not _is_node(value):
            raise self.error(node, "indexing belongs in a graph")
        return value[self.read(node.slice, names, depth)]

    def _Slice(self, node: ast.Slice, names: Names, depth: int):
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else self.read(p, names, depth) for p in parts))


_OPERATORS: dict[type, Callable] = {
    ast.Add: lambda a, b: a + b,
    ast.Mult: lambda a, b: a * b,
    ast.Sub: lambda a, b: a - b,
    ast.Div: lambda a, b: a / b,
    ast.MatMult: lambda a, b: a @ b,
    ast.RShift: lambda a, b: a >> b,
}


def _is_node(value: Any) -> bool:
    return hasattr(type(value), "__compose_step__")


def _signature(params: list[str]):
    import inspect

    return inspect.Signature([inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD) for p in params])
