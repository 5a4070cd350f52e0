"""Write the steps of a graph as statements: assignments, and the returned expression."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from compose.port.codegen.terms import Term

LONGEST = 72  # the maximum length of an expression without intermediate names
_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}


def statements(term: Term, write: Callable[[Term], str]) -> tuple[list[str], list[tuple[str, str]], str]:
    """The input names, the assignments in order, and the result of a graph.

    The order of the steps must be kept, because it determines the parameters' keys: a value is written inline only if
    that does not change the order.
    """
    inputs, wiring, output = term.head
    names = list("xyz"[:inputs]) if inputs <= 3 else [f"x{i}" for i in range(inputs)]
    uses = Counter(v for args in wiring for v in args) + Counter(_leaves(output))
    texts: dict[int, str] = dict(enumerate(names))
    pending: list[int] = []  # values that are not yet written, in execution order
    lines: list[tuple[str, str]] = []

    def settle(values: list[int]) -> None:
        """Assign the values to names, in order."""
        for v in values:
            lines.append((f"h{len(lines)}", texts[v]))
            texts[v] = lines[-1][0]

    for i, (args, layer) in enumerate(zip(wiring, term.args)):
        value = inputs + i
        read = [v for v in args if v in pending]
        if read != pending[len(pending) - len(read) :]:
            settle(pending)
            pending, read = [], []
        texts[value] = _step(layer, [texts[v] for v in args], write)
        if len(texts[value]) > LONGEST and read:
            settle(pending)
            pending, read = [], []
            texts[value] = _step(layer, [texts[v] for v in args], write)
        pending = pending[: len(pending) - len(read)]
        pending.append(value)
        if uses[value] != 1:
            settle(pending)
            pending = []
    if [v for v in _leaves(output) if v in pending] != pending or sum(len(texts[v]) for v in pending) > LONGEST:
        settle(pending)
    if len(lines) == 1:
        lines, texts = [("h", lines[0][1])], {v: _renamed(t) for v, t in texts.items()}
    return names, lines, _result(output, texts)


def _renamed(text: str) -> str:
    return re.sub(r"\bh0\b", "h", text)


def _step(layer: Term, args: list[str], write: Callable[[Term], str]) -> str:
    sign = _SIGNS.get(layer.head) if layer.kind == "atom" and len(args) == 2 else None
    if sign:
        return f" {sign} ".join(a if _operator(a) in ("", "*/@" * (sign in "+-")) else f"({a})" for a in args)
    head = write(layer)
    return f"({head})({', '.join(args)})" if layer.kind == "op" else f"{head}({', '.join(args)})"


def _operator(text: str) -> str:
    """The operator with the lowest precedence outside brackets: `+-`, `*/@`, or none."""
    depth, found = 0, ""
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c == " ":
            found = "+-" if text[i + 1] in "+-" or found == "+-" else "*/@" if text[i + 1] in "*/@" else found
    return found


def _result(output: Any, texts: dict[int, str]) -> str:
    if not isinstance(output, tuple):
        return texts[output]
    return "(" + ", ".join(_result(o, texts) for o in output) + (",)" if len(output) == 1 else ")")


def _leaves(output: Any) -> list[int]:
    return [v for o in output for v in _leaves(o)] if isinstance(output, tuple) else [output]
