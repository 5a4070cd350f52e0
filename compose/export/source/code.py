"""The text of a class: its statements, with names chosen for the values, and its submodules."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from compose.export.source.value import TOKEN, Value, atomic

NAMES = ("x", "y", "z", "h", "u", "v", "w")
WIDTH = 100


@dataclass
class Statement:
    """`target = text`; or for a loop, such as `for block in self.blocks`, `target = block(target)` in it.

    Several targets are unpacked from a tuple.

    Attributes:
        loop: the head of the loop, whose targets start from `text`.
        body: what a loop calls, with `{}` for the targets.
        outputs: how many of the targets, the first ones, it gives in each turn; the others stay. None for all.
        name: what the target is called, if not by one of the usual names.
    """

    targets: tuple[str, ...]
    text: str
    value: Value | None = None
    loop: str | None = None
    body: str = "block({})"
    outputs: int | None = None
    name: str | None = None

    @property
    def target(self) -> str:
        return self.targets[0]


@dataclass
class Code:
    """A class that is being written: `inputs` are its tokens, `attributes` what its constructor assigns."""

    inputs: list[str]
    labels: list[str]
    attributes: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)  # of the constructor, for what is no module
    statements: list[Statement] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether it holds nothing of its own, so that it need not be a class."""
        return not self.attributes and not self.lines

    def body(self, layout: str) -> list[str]:
        """The lines of the function, with `layout` the text that is returned, made of tokens."""
        statements = _inlined(self.used(list(TOKEN.findall(layout))), layout)
        last = statements[-1] if statements else None
        if last and not last.loop and layout == _together(last.targets):
            layout = statements.pop().text
        return _named(statements, layout, dict(zip(self.inputs, self.labels)))

    def used(self, results: list[str]) -> list[Statement]:
        used, kept = set(results), []
        for statement in reversed(self.statements):
            if used & set(statement.targets):
                kept.append(statement)
                used.update(TOKEN.findall(statement.text))
        return kept[::-1]


def _inlined(statements: list[Statement], layout: str) -> list[Statement]:
    """Without variables that one line reads, beside others, and that are short."""
    texts = [s.text for s in statements]
    for i, statement in enumerate(statements):
        users = [j for j in range(i + 1, len(statements)) if statement.target in texts[j]]
        uses = sum(texts[j].count(statement.target) for j in users) + layout.count(statement.target)
        several = len(statement.targets) > 1 or statement.loop or (users and statements[users[0]].loop)
        if uses != 1 or not users or several:
            continue
        mine = set(TOKEN.findall(texts[i]))
        later = "".join(texts[i + 1 :]) + layout
        alone = len(set(TOKEN.findall(texts[users[0]]))) == 1 and not any(t in later for t in mine)
        joined = texts[users[0]].replace(statement.target, atomic(texts[i]))
        if alone or len(TOKEN.sub("x0", joined)) > WIDTH - 20:  # the same for every number of a token
            continue
        texts[users[0]] = joined
        texts[i] = ""
    return [dataclasses.replace(s, text=t) for s, t in zip(statements, texts) if t]


def _named(statements: list[Statement], layout: str, names: dict[str, str]) -> list[str]:
    """Each value under the name of one that it replaces, or a new one."""
    lines = []
    for i, statement in enumerate(statements):
        later = Counter(TOKEN.findall("".join(s.text for s in statements[i + 1 :]) + layout))
        busy = {name for token, name in names.items() if later[token]}
        line = plain(TOKEN.sub(lambda m: names[m.group()], statement.text))
        mine = [names[t] for t in TOKEN.findall(statement.text)]
        chosen: list[str] = []
        for target in statement.targets:
            needed = later[target] or statement.loop or len(statement.targets) == 1
            own = (statement.name, *(f"{statement.name}_{k}" for k in range(2, 99))) if statement.name else ()
            fitting = (*own, *mine, *NAMES, *(f"x{k}" for k in range(1, 999)))
            chosen.append(next(n for n in fitting if n not in busy and n not in chosen) if needed else "_")
        names.update(zip(statement.targets, chosen))
        name = ", ".join(chosen)
        if statement.loop is None:
            lines.append(f"{name} = {line}")
            continue
        if line not in (name, f"({name})"):
            lines.append(f"{name} = {line.removeprefix('(').removesuffix(')') if len(chosen) > 1 else line}")
        body = statement.body.replace("{}", name)
        lines += [f"{statement.loop}:", f"    {', '.join(chosen[: statement.outputs])} = {body}"]
    lines.append(f"return {plain(TOKEN.sub(lambda m: names[m.group()], layout))}")
    return lines


def _together(targets: tuple[str, ...]) -> str:
    return targets[0] if len(targets) == 1 else f"({', '.join(targets)})"


def plain(text: str) -> str:
    """An expression without parentheses that it does not need."""
    return ast.unparse(ast.parse(text, mode="eval")).replace("'", '"') if "(" in text else text


def snake(name: str) -> str:
    name = name.replace("ReLU", "Relu").replace("SiLU", "Silu")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel(name: str) -> str:
    made = "".join(part[:1].upper() + part[1:] for part in re.sub(r"\W", "_", name).split("_") if part)
    return made if made[:1].isalpha() else f"Layer{made}"


def free(name: str, taken: Any) -> str:
    """The name, or with a number where it is taken."""
    if name not in taken:
        return name
    return next(f"{name}_{i}" for i in itertools.count(2) if f"{name}_{i}" not in taken)
