"""The text of a class: its submodules, long calls over several lines, and `forward`."""

from __future__ import annotations

from compose.export.source.code import Code, free, snake
from compose.export.source.value import Step


def class_text(code: Code, returned: str) -> str:
    """The lines of a class after its head."""
    lines = [f"    # {note}" for note in code.notes]
    lines += ["    def __init__(self):", "        super().__init__()"]
    lines += [f"        self.{name} = {wrapped(text, 8)}" for name, text in code.attributes.items()]
    lines += [f"        {line}" for line in code.lines]
    lines += ["", f"    def forward(self, {', '.join(code.labels)}):"]
    lines += [f"        {line}" for line in code.body(returned)]
    return "\n".join(lines)


def sequence(code: Code, result: str) -> dict[str, str] | None:
    """The submodules of `nn.Sequential`, if the class is nothing else than one after the other."""
    if len(code.inputs) != 1 or code.lines:
        return None
    steps: list[Step] = []
    at = code.inputs[0]
    for statement in code.used([result]):
        if statement.value is None or statement.value.base != at or len(statement.targets) > 1:
            return None
        steps += statement.value.steps
        at = statement.target
    if at != result or not steps or any(step.module is None for step in steps):
        return None
    parts: dict[str, str] = {}
    for step in steps:
        kind = (step.module or "").removeprefix("nn.").partition("(")[0]
        name = step.name or free(snake(kind), parts)
        if name in parts:
            return None
        parts[name] = step.module or ""
    return parts if set(code.attributes) <= set(parts) else None


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
