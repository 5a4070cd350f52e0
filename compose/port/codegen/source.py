"""A network as readable Python source."""

from __future__ import annotations

import ast
import math

import compose
from compose.core.layer import Layer
from compose.core.registry import is_namespace, known, word
from compose.port.codegen.helpers import find_helpers
from compose.port.codegen.layout import WIDTH
from compose.port.codegen.naming import RESERVED
from compose.port.codegen.program import Program, blocks
from compose.port.codegen.terms import read

_OLDEST = (3, 11)  # the oldest Python that we support


def source(net: Layer, name: str = "net", words: dict[Layer, str] | None = None, doc: str = "") -> str:
    """Python source that builds `net`: imports, helpers for repeated parts, and one assignment.

    Args:
        net: the network.
        name: the variable to assign it to.
        words: names for helpers of parts of the network: `{residual(...): "basic_block"}`.
        doc: the file's docstring.

    >>> from compose import compose_seq, fc, relu
    >>> print(source(compose_seq(fc(250, relu), fc(10))))
    from compose import fc, relu
    <BLANKLINE>
    net = fc(250, relu) >> fc(10)
    <BLANKLINE>
    """
    term = read(net)
    try:
        return _text(find_helpers(term, {read(part): word for part, word in (words or {}).items()}), name, doc)
    except SyntaxError:  # a helper where this Python takes none
        return _text(Program(term, {}, {}), name, doc)


def _text(program: Program, name: str, doc: str) -> str:
    """The text of a program. Raises `SyntaxError` if the oldest Python that we support cannot read it."""
    parts = [f'"""{doc}"""'] if doc else []
    body = list(blocks(program, name))
    imports = _imports(program, "\n".join(line for block in body for line in block))
    text = "\n\n".join([*parts, "\n".join(imports)])
    before_is_def = False
    for i, block in enumerate(body):
        is_def = block[0].startswith("def ")
        gap = "\n\n\n" if is_def or before_is_def else "\n\n" if i == 0 else "\n"
        text += gap + "\n".join(block)
        before_is_def = is_def
    ast.parse(text, feature_version=_OLDEST)
    return text + "\n"


def _imports(program: Program, text: str) -> list[str]:
    loaded = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    used = loaded & (program.names_in_use() | RESERVED) - set(program.helpers)
    names = sorted(n for n in used if known(n) or is_namespace(n))
    lines: dict[str, list[str]] = {}
    for n in names:
        lines.setdefault(_home(n), []).append(n)
    return [_import(home, names) for home, names in sorted(lines.items())]


def _home(name: str) -> str:
    if hasattr(compose, name):
        return "compose"
    value = word(name)
    if isinstance(value, float):
        return math.__name__
    return getattr(value, "fn", value).__module__


def _import(home: str, names: list[str]) -> str:
    flat = f"from {home} import {', '.join(names)}"
    return flat if len(flat) <= WIDTH else f"from {home} import (\n" + "".join(f"    {n},\n" for n in names) + ")"
