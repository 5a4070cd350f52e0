"""Functions and classes that a framework has not: a file that needs one holds its text, as it stands in a folder."""

from __future__ import annotations

import ast
from pathlib import Path


class Pieces:
    """The functions and classes in the files of a folder, by name."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._texts: dict[str, str] = {}

    @property
    def texts(self) -> dict[str, str]:
        if not self._texts:
            for file in sorted(self.folder.glob("*.py")):
                text = file.read_text("utf-8")
                for node in ast.parse(text).body:
                    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                        lines = text.splitlines()[first - 1 : node.end_lineno]
                        self._texts[node.name] = "\n".join(lines)
        return self._texts

    def needed(self, name: str) -> dict[str, str]:
        """The text of a piece and of those that it uses, by name, in an order in which they can be defined."""
        found: dict[str, str] = {}
        used = {node.id for node in ast.walk(ast.parse(self.texts[name])) if isinstance(node, ast.Name)}
        for other in self.texts:
            if other != name and other in used:
                found |= self.needed(other)
        return found | {name: self.texts[name]}
