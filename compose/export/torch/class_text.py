"""The text of a class: its submodules, long calls over several lines, and `forward`."""

from __future__ import annotations

from typing import Any

from compose.export.torch.code import Code
from compose.export.torch.value import Value


def layout(y: Any) -> str:
    """The text of an output, nested tuples of values."""
    if isinstance(y, Value):
        return y.text
    inside = ", ".join(map(layout, y))
    return f"({inside}{',' * (len(y) == 1)})"


def class_text(code: Code, returned: str) -> str:
    """The lines of a class after its head."""
    lines = [f"    # {note}" for note in code.notes]
    lines += ["    def __init__(self):", "        super().__init__()"]
    lines += [f"        self.{name} = {wrapped(text, 8)}" for name, text in code.attributes.items()]
    lines += [f"        {line}" for line in code.lines]
    lines += ["", f"    def forward(self, {', '.join(code.labels)}):"]
    lines += [f"        {line}" for line in code.forward(returned)]
    return "\n".join(lines)


def wrapped(text: str, indent: int) -> str:
    """A nested call over several lines, one argument each, where it is long or a dictionary of submodules."""
    opening = "nn.Sequential(OrderedDict("
    if not text.startswith(opening):
        return text
    inside = split(text[len(opening) : -2])
    pad = " " * (indent + 4)
    rows = []
    for row in inside:
        name, _, value = row.partition("=")
        rows.append(f"{pad}{name}={wrapped(value, indent + 4)},")
    return "\n".join([f"{opening}", *rows, " " * indent + "))"])


def split(text: str) -> list[str]:
    """The arguments of a call."""
    parts, depth, begin = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append(text[begin:i].strip())
            begin = i + 1
    return [*parts, text[begin:].strip()]
