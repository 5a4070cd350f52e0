"""A graph's table of steps as the lambda that makes it."""

from __future__ import annotations

import math
from typing import Any

from compose.core.printing import Call, Doc, Writer
from compose.core.registry import word

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}
_CONSTANTS = {"scale": "*", "add_constant": "+"}


def graph_source(graph: Any, write: Writer) -> Doc:
    """`lambda x, y: ...`, values used twice named with `:=` where they are first needed.

    The steps must come out in their order, since it numbers the keys; where nesting them would not
    keep it, each is named in turn: `(h0 := ..., h1 := ..., h1)[-1]`.
    """
    names = _inputs(graph.inputs)
    nested = _Body(graph, write, names)
    body = nested.output(graph.output)
    if nested.order != list(range(len(graph.steps))):
        body = _in_turn(graph, write, names)
    return (f"lambda {', '.join(names)}: ", body)


def _in_turn(graph: Any, write: Writer, names: list[str]) -> Doc:
    values = list(names)
    rows: list[Doc] = []
    for i, step in enumerate(graph.steps):
        text = _step(step, [values[j] for j in step.args], write)
        if i == len(graph.steps) - 1 and graph.output == graph.inputs + i:
            return Call("(", (*rows, text), ")[-1]")
        rows.append((f"h{i} := ", text))
        values.append(f"h{i}")
    last = _Body(graph, write, names)
    last.values = dict(enumerate(values))
    return Call("(", (*rows, last.output(graph.output)), ")[-1]")


class _Body:
    def __init__(self, graph: Any, write: Writer, names: list[str]):
        self.graph, self.write, self.names = graph, write, names
        self.values: dict[int, str] = dict(enumerate(names))
        self.order: list[int] = []
        uses = [i for step in graph.steps for i in step.args] + _leaves(graph.output)
        self.repeated = [i for i in sorted(set(uses)) if i >= graph.inputs and uses.count(i) > 1]

    def output(self, output: Any) -> Doc:
        if isinstance(output, tuple):
            return ("(", *_commas([self.output(o) for o in output]), ",)" if len(output) == 1 else ")")
        return self.at(output)

    def at(self, index: int) -> Doc:
        if index in self.values:
            return self.values[index]
        step = self.graph.steps[index - self.graph.inputs]
        texts = [self.at(i) for i in step.args]
        self.order.append(index - self.graph.inputs)
        text = _step(step, texts, self.write)
        if index not in self.repeated:
            return text
        name = "h" if len(self.repeated) == 1 else f"h{self.repeated.index(index)}"
        self.values[index] = name
        return (f"({name} := ", text, ")")


def _step(step: Any, args: list, write: Writer) -> Doc:
    inner = step.layer
    sign = _SIGNS.get(inner.kind) if str(inner) == inner.kind and len(args) == 2 else None
    if sign:
        return (_operand(args[0]), f" {sign} ", _operand(args[1]))
    if inner.kind == "at" and inner.name is None and len(args) == 1:
        return (_operand(args[0]), f"[{inner.index}]")
    if inner.kind in _CONSTANTS and inner == _constant(inner) and len(args) == 1:
        return (_operand(args[0]), f" {_CONSTANTS[inner.kind]} ", repr(inner.options[0][1]))
    head = write.value(inner)
    head = ("(", head, ")") if isinstance(head, tuple) else head
    return (head, "(", *_commas(args), ")")


def _constant(inner: Any) -> Any:
    """The layer that `x * 2` or `x + 2` would make."""
    values = [v for _, v in inner.options]
    known = len(values) == 1 and isinstance(values[0], (int, float)) and math.isfinite(values[0])
    return word(inner.kind)(**dict(inner.options)) if known else None


def _operand(text: Doc) -> Doc:
    is_operation = isinstance(text, tuple) and len(text) == 3 and isinstance(text[1], str) and text[1][:1] == " "
    return ("(", text, ")") if is_operation else text


def _commas(parts: list) -> list:
    return [piece for i, part in enumerate(parts) for piece in ((", ", part) if i else (part,))]


def _inputs(n: int) -> list[str]:
    return list("xyz"[:n]) if n <= 3 else [f"x{i}" for i in range(n)]


def _leaves(output: Any) -> list[int]:
    return [i for o in output for i in _leaves(o)] if isinstance(output, tuple) else [output]
