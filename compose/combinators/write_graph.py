"""Write a graph's table of steps as a lambda."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from compose.core.printing import Call, Doc, Operation, Writer, enclosed, free_name
from compose.core.registry import word

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}
_CONSTANTS = {"scale": "*", "add_constant": "+"}


DEEPEST = 25  # nested calls; beyond this each step is written on its own line


def graph_source(graph: Any, write: Writer) -> Doc:
    """`lambda x, y: ...`; values that are used twice are named with `:=` at their first use.

    The text must keep the order of the steps, because it determines their keys. If nested calls would change
    the order, or nest too deeply, every step is named in sequence: `(h0 := ..., h1 := ..., h1)[-1]`.
    """
    names = [free_name(name) for name in (list("xyz") if graph.inputs <= 3 else [f"x{i}" for i in range(graph.inputs)])]
    names = names[: graph.inputs]
    nested = _Body(graph, write, names)
    body = nested.output(graph.output) if _depth(graph, nested.repeated) <= DEEPEST else None
    if nested.order != list(range(len(graph.steps))):
        body = _in_turn(graph, write, names)
    return (f"lambda {', '.join(names)}: ", body)


def _depth(graph: Any, repeated: dict[int, str]) -> int:
    depth = [0] * graph.inputs
    for step in graph.steps:
        depth.append(1 + max((depth[j] * (j not in repeated) for j in step.args), default=0))
    return max(depth)


def _in_turn(graph: Any, write: Writer, names: list[str]) -> Doc:
    values = list(names)
    rows: list[Doc] = []
    for i, step in enumerate(graph.steps):
        text = _step(step, [values[j] for j in step.args], write)
        if i == len(graph.steps) - 1 and graph.output == graph.inputs + i:
            return Call("", (*rows, text), closing=")[-1]")
        values.append(free_name(f"h{i}"))
        rows.append((f"{values[-1]} := ", text))
    last = _Body(graph, write, names)
    last.values = dict(enumerate(values))
    return Call("", (*rows, last.output(graph.output)), closing=")[-1]")


class _Body:
    def __init__(self, graph: Any, write: Writer, names: list[str]):
        self.graph, self.write = graph, write
        self.values: dict[int, str] = dict(enumerate(names))
        self.order: list[int] = []
        uses = Counter([i for step in graph.steps for i in step.args] + _leaves(graph.output))
        repeated = sorted(i for i, n in uses.items() if i >= graph.inputs and n > 1)
        self.repeated = {i: free_name(f"h{n}" if len(repeated) > 1 else "h") for n, i in enumerate(repeated)}

    def output(self, output: Any) -> Doc:
        if isinstance(output, tuple):
            return Call("", tuple(map(self.output, output)), closing=",)" if len(output) == 1 else ")")
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
        self.values[index] = name = self.repeated[index]
        return (f"({name} := ", text, ")")


def _step(step: Any, args: list, write: Writer) -> Doc:
    inner = step.layer
    sign = _SIGNS.get(inner.kind) if str(inner) == inner.kind and len(args) == 2 else None
    if sign:
        return Operation(sign, tuple(args))
    if inner.kind == "at" and inner.name is None and len(args) == 1:
        return (enclosed(args[0]), f"[{inner.index}]")
    if inner.kind in _CONSTANTS and inner == _constant(inner) and len(args) == 1:
        return Operation(_CONSTANTS[inner.kind], (args[0], repr(inner.options[0][1])))
    head = write.value(inner)
    return Call(enclosed(head) if isinstance(head, Operation) else head, tuple(args))


def _constant(inner: Any) -> Any:
    """The layer that `x * 2` or `x + 2` creates, with the number of `inner`; None if it has none."""
    values = [v for _, v in inner.options]
    is_number = len(values) == 1 and isinstance(values[0], (int, float)) and math.isfinite(values[0])
    return word(inner.kind)(**dict(inner.options)) if is_number else None


def _leaves(output: Any) -> list[int]:
    return [i for o in output for i in _leaves(o)] if isinstance(output, tuple) else [output]
