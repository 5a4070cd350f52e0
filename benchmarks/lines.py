"""How long a source is."""

from __future__ import annotations

import ast


def lines_of(source: str) -> int:
    """The lines of a source, without imports and empty lines."""
    tree = ast.parse(source)
    imports = {n for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for n in _span(node)}
    return sum(bool(line.strip()) and i not in imports for i, line in enumerate(source.splitlines(), 1))


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
