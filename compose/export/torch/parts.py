"""Functions and modules that torch has not: a file that needs one holds its text, as it stands beside this file."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

FOLDER = Path(__file__).parent / "pieces"


def part_text(name: str) -> dict[str, str]:
    """The text of a part and of those that it uses, by name, in an order in which they can be defined."""
    found: dict[str, str] = {}
    tree = ast.parse(_parts()[name])
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for other in _parts():
        if other != name and other in used:
            found |= part_text(other)
    return found | {name: _parts()[name]}


def part_names() -> list[str]:
    return list(_parts())


@functools.cache
def _parts() -> dict[str, str]:
    parts: dict[str, str] = {}
    for file in sorted(FOLDER.glob("*.py")):
        text = file.read_text("utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                parts[node.name] = ast.get_source_segment(text, node) or ""
    return parts
