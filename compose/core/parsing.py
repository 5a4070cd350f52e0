"""Parsing an expression: a walk over Python's syntax tree and the closed registry, never `eval`."""

from __future__ import annotations

import ast
import io
import tokenize
import unicodedata
import warnings
from collections.abc import Callable
from typing import Any

from compose.core.errors import LayerError, ParseError
from compose.core.function import Function
from compose.core.initializer import Initializer
from compose.core.layer import Layer, as_layer, walk
from compose.core.registry import is_namespace, word

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 200

Names = dict[str, Any]


def parse(text: str) -> Layer:
    """The network that `text` describes: `parse(str(net)) == net`.

    The language is registered words, literals, `+ * - / @ >>`, indexing, and the lambdas of `graph` and `share`.
    Nothing is imported, and nothing runs but the constructors of layers.

    Raises `ParseError` with line and column for anything else, `ConfigError` for arguments that a layer rejects.
    """
    if not isinstance(text, str):
        raise ParseError(f"an expression is a string, not a {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise ParseError(f"the expression has {len(text)} characters; the limit is {MAX_CHARACTERS}")
    text = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd literals in the text
            _refuse_lookalikes(text)
            tree = ast.parse(text, mode="eval").body
        net = as_layer(_Reader(text).read(tree, {}, 0))
    except (ParseError, LayerError) as e:
        raise _located(e, text)
    except (SyntaxError, tokenize.TokenError) as e:
        raise ParseError(f"not an expression: {getattr(e, 'msg', e)}, line {getattr(e, 'lineno', '?')}") from None
    except (RecursionError, MemoryError, ValueError) as e:
        raise ParseError(f"not an expression that can be read: {str(e)[:80] or type(e).__name__}") from None
    unregistered = next((f for _, f in walk(net) if isinstance(f, Function) and not f.registered), None)
    if unregistered is not None:
        raise ParseError(f"not a layer: {str(unregistered)[:80]!r}")
    return net


def _located(e: ParseError | LayerError, text: str) -> Exception:
    """A `ParseError` for a text that is a word but not a layer, such as `zeros`."""
    if isinstance(e, LayerError) and e.layer is None and not e.path:
        return ParseError(f"{e.expected}, got {e.got or 'something else'}, in {text[:80]!r}")
    return e


def _refuse_lookalikes(text: str) -> None:
    """Reject names that Python would normalize, as it reads ｆ as f."""
    if text.isascii():
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and unicodedata.normalize("NFKC", token.string) != token.string:
            raise ParseError(f"unknown name {token.string[:80]!r}: line {token.start[0]}, column {token.start[1] + 1}")


class _Reader:
    def __init__(self, text: str):
        self.text = text

    def read(self, node: ast.expr, names: Names, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.error(node, f"an expression nested more than {MAX_DEPTH} levels deep")
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
        return self.meaning(node, node.id)

    def meaning(self, node: ast.expr, name: str) -> Any:
        try:
            return word(name)
        except ParseError as e:
            raise self.error(node, str(e)) from None

    def _Tuple(self, node, names: Names, depth: int):
        return tuple(self.read(e, names, depth) for e in node.elts)

    def _List(self, node, names: Names, depth: int):
        return self._Tuple(node, names, depth)

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
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise self.error(node, "* and ** are not part of the language")
        args = [self.read(a, names, depth) for a in node.args]
        options = {k.arg or "": self.read(k.value, names, depth) for k in node.keywords}
        if len(options) < len(node.keywords):
            raise self.error(node, "an argument given twice")
        if isinstance(target, Layer) and not (all(map(_is_node, args)) and bool(args) != bool(options)):
            raise self.error(node, "a layer is called on the values of a graph, a function given options by name")
        if not (isinstance(target, (Layer, Initializer)) or getattr(target, "builds_layers", False)):
            raise self.error(node, "this cannot be called")
        try:
            return target(*args, **options)
        except (ParseError, LayerError, RecursionError):
            raise
        except Exception as e:  # a constructor, perhaps a user's, may raise anything for unexpected arguments
            raise self.error(node, str(e).replace("__init__() ", "")[:200]) from e

    def _Lambda(self, node: ast.Lambda, names: Names, depth: int):
        a = node.args
        if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults:
            raise self.error(node, "a lambda here takes plain arguments")
        params = [arg.arg for arg in a.args]

        def run(*values):
            if len(values) != len(params):
                raise self.error(node, f"this lambda takes {len(params)} arguments, not {len(values)}")
            return self.read(node.body, {**names, **dict(zip(params, values))}, depth)

        run.__signature__ = _signature(params)  # pyright: ignore[reportFunctionMemberAccess]
        return run

    def _NamedExpr(self, node: ast.NamedExpr, names: Names, depth: int):
        value = self.read(node.value, names, depth)
        if not _is_node(value):
            raise self.error(node, ":= names a value of a graph")
        names[node.target.id] = value
        return value

    def _Attribute(self, node: ast.Attribute, names: Names, depth: int):
        if isinstance(node.value, ast.Name) and node.value.id not in names and is_namespace(node.value.id):
            return self.meaning(node, f"{node.value.id}.{node.attr}")
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
