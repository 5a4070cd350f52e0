"""Any directed acyclic graph: a lambda, traced once into a table of steps that can be printed back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compose.combinators.trace import Node
from compose.combinators.write_graph import graph_source
from compose.core.combinator import Combinator
from compose.core.errors import ConfigError, LayerError, ShapeError, shape_text
from compose.core.layer import Layer, keys_of, layer


@dataclass(frozen=True)
class Step:
    """A layer and the indices of its arguments: the inputs come first, from 0, then the steps in order."""

    layer: Layer
    args: tuple[int, ...]


@layer
class graph(Combinator):
    """`graph(lambda x, c: (h := fc(64, relu)(x)) * fc(64, sigmoid)(c) + h)`: any acyclic graph.

    The lambda is traced once, when the layer is built. Each layer call, operator `+ - * / @` and indexing becomes a
    step. The lambda takes one argument per input and returns one value or a tuple. A layer that is called twice
    becomes two layers with separate weights: use `share` to share them. Each step's parameters are under its
    layer's name, or its kind, numbered in the order of the steps.

    Shapes: one input per argument of the lambda, to its return value. Elsewhere: Keras `Model(inputs, outputs)`,
    torch `fx.GraphModule`.
    """

    inputs: int
    steps: tuple[Step, ...]
    output: Any

    def __init__(self, fn: Callable, name: str | None = None):
        traced = _checked(*fn) if isinstance(fn, tuple) else _trace(fn)
        for key, value in zip(("inputs", "steps", "output", "name"), (*traced, name)):
            object.__setattr__(self, key, value)
        self.__post_init__()

    def validate(self) -> None:
        keys_of(tuple(step.layer for step in self.steps))

    def children(self):
        layers = tuple(step.layer for step in self.steps)
        return tuple(zip(keys_of(layers), layers))

    def with_children(self, layers):
        return self.but(steps=tuple(Step(new, step.args) for new, step in zip(layers, self.steps, strict=True)))

    def flow(self, x, run):
        values = list(x) if self.inputs > 1 and isinstance(x, tuple) else [x]
        if len(values) != self.inputs:
            raise ShapeError(f"{self.inputs} inputs", shape_text(x))
        for (key, inner), step in zip(self.children(), self.steps):
            args = tuple(values[i] for i in step.args)
            values.append(run(key, inner, args[0] if len(args) == 1 else args))
        return _pick(self.output, values)

    def source(self, write):
        args: list = [graph_source(self, write)]
        return write.call("graph", args + ([("name", write.value(self.name))] if self.name else []))


def _trace(fn: Callable) -> tuple[int, tuple[Step, ...], Any]:
    if isinstance(fn, Layer):
        raise ConfigError("a function of the values of the graph, such as a lambda", f"the layer {fn}")
    params = inspect.signature(fn).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
        raise ConfigError("a function with one positional argument per input", str(inspect.signature(fn)))
    steps: list[Step] = []
    try:
        out = fn(*(Node(steps, i, len(params), Step) for i in range(len(params))))
    except (TypeError, ValueError) as e:
        if isinstance(e, LayerError) or "Node" not in str(e):
            raise
        raise ConfigError(
            "only layers inside a graph", str(e).splitlines()[0],
            "use the layer or operation of that name, as in tanh(x) and ops.sin(x)",
        ) from e  # fmt: skip
    return len(params), tuple(steps), _indices(out, steps)


def _indices(out: Any, steps: list) -> Any:
    if isinstance(out, (tuple, list)):
        return tuple(_indices(o, steps) for o in out)
    if not isinstance(out, Node) or out.steps is not steps:
        raise ConfigError("a graph that returns its own values", f"{type(out).__name__} {out!r}")
    return out.index


def _checked(inputs: int, steps: tuple[Step, ...], output: Any) -> tuple[int, tuple[Step, ...], Any]:
    """Check a given table of steps. Raises `ConfigError` if a step reads a value that does not precede it."""
    for i, step in enumerate(steps):
        if not isinstance(step, Step) or not _are_values(step.args, inputs + i):
            raise ConfigError("steps that read inputs and earlier steps", repr(step))
    if inputs < 1 or not _are_values(output, inputs + len(steps)):
        raise ConfigError("at least one input, and values of the graph as output", f"{inputs}, {output!r}")
    return inputs, steps, output


def _are_values(indices: Any, known: int) -> bool:
    if isinstance(indices, tuple):
        return all(_are_values(i, known) for i in indices)
    return type(indices) is int and 0 <= indices < known


def _pick(output: Any, values: list) -> Any:
    return tuple(_pick(o, values) for o in output) if isinstance(output, tuple) else values[output]
