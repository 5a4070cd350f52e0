"""The writer of Keras: layers that are called where they are made, and a function for each layer of layers."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from compose.core.layer import Layer
from compose.export.errors import ExportError
from compose.export.keras.registry import TABLE
from compose.export.source.code import NAMES, Code, Statement, snake
from compose.export.source.pieces import Pieces
from compose.export.source.text import layout, number
from compose.export.source.value import Value
from compose.export.source.writer import SourceWriter

PIECES = Pieces(Path(__file__).parent / "pieces")
TAKEN = {"network", "keras", "layers", "ops", "math", "inputs", "name", *NAMES, *keyword.kwlist, *dir(builtins)}


@dataclass
class Shared:
    """The layers that each use of a shared layer calls, in the order in which they are called."""

    attends: bool  # whether its table is used in both directions
    layers: list[str] = field(default_factory=list)
    at: int = 0


class Writer(SourceWriter):
    """What rules write Keras with.

    Attributes:
        within: whether a function is being written, whose layers have names that begin with its argument `name`.
        shared: the layers of the shared layer that is being called.
        frozen: whether layers are made with `trainable=False`.
        unnamed: the classes of layers that have no name in the text, to which Keras gives one.
        avoided: names that layers with weights do not take.
    """

    framework, words, pieces = "Keras", TABLE, PIECES
    binary: ClassVar = {
        name: f"ops.{name}({{}}, {{}})"
        for name in (
            "logical_and", "logical_or", "logical_xor", "arctan2", "hypot", "logaddexp", "maximum", "minimum", "fmod",
        )
    } | {
        "equal": "ops.equal({}, {})", "not_equal": "ops.not_equal({}, {})", "where": "ops.where({}, {}, {})",
    }  # fmt: skip

    def __init__(self, avoided: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.avoided = avoided
        self.unnamed: set[str] = set()
        self.within = False
        self.shared: Shared | None = None
        self.frozen = False

    # Layers and weights

    def attribute_named(self, name: str) -> str:
        name = re.sub(r"\W", "_", name)
        name = f"layer_{name}" if name[:1].isdigit() else name
        return f"{name}_layer" if name in self.avoided else name

    def name_text(self, name: str, index: str = "") -> str:
        """The name of a layer as an expression."""
        start = "{name}_" if self.within else ""
        return f'{"f" if start or index else ""}"{start}{name}{index}"'

    def made_layer(self, text: str, weights: dict[str, Any] | None = None, name: str | None = None) -> str:
        """The text that makes a layer, or reads it where it is shared; with weights it has the name of the path."""
        if not weights:
            self.unnamed.add(text.partition("(")[0].removeprefix("layers."))
            return text
        if self.shared is not None and self.shared.at < len(self.shared.layers):
            self.shared.at += 1
            return self.shared.layers[self.shared.at - 1]
        name = self.unused(name)
        more = [*(["trainable=False"] if self.frozen else []), f"name={self.name_text(name)}"]
        text = f"{text[:-1]}{'' if text.endswith('()') else ', '}{', '.join(more)})"
        self.code.attributes[name] = text
        for key, array in weights.items():
            self.code.weights[f"{name}/{key}"] = array
        if self.shared is None:
            return text
        token = self.token()
        self.code.statements.append(Statement((token,), text, name=f"{name}_layer"))
        self.shared.layers.append(token)
        self.shared.at += 1
        return token

    def module(self, x: Value, text: str, weights: dict[str, Any] | None = None, shape: Any = None, dtype: Any = None,
               first: bool | None = None, name: str | None = None) -> Value:  # fmt: skip
        made = self.made_layer(text, weights, name)
        return self.named(self.call(self.named(x), f"{made}({{}})", None, shape, dtype, first))

    def joined(self, xs: Sequence[Value], text: str, weights: dict[str, Any] | None = None, **like: Any) -> Value:
        """Pass several values through a layer, as its arguments."""
        made = self.made_layer(text, weights)
        return self.named(self.made(f"{made}({', '.join(['{}'] * len(xs))})", *map(self.named, xs), **like))

    def parameter(self, x: Value, array: Any, name: str, *, batch: bool = False, trainable: bool = True) -> Value:
        """A weight by itself, for each example of `x` if it has a batch axis."""
        kind = np.dtype(array.dtype)
        more = ", batch=True" if batch else ""
        more += "" if trainable else ", trainable=False"
        more += "" if kind.kind == "f" else f', dtype="{kind.name}"'
        text = f"{self.part('Weight')}({tuple(np.shape(array))}{more})"
        shape = (x.shape[0], *np.shape(array)[1:]) if batch else np.shape(array)
        return self.module(x, text, {"value": array}, shape, kind, name=name)

    def index(self, text: str) -> str:
        return text if "," in text or ":" not in text else f"{text}, ..."  # Keras takes no slice by itself

    def constant_number(self, value: Any) -> str:
        return number(value)

    # Functions

    def block(self, layer: Layer, run: Callable[[Any], Any], x: Any) -> Any:
        return run(x) if self.shared is not None else super().block(layer, run, x)

    def apart(
        self, layer: Layer, run: Callable[[Any], Any], x: Any, title: str | None = None
    ) -> tuple[str | None, dict, str, Any]:
        inputs: list[str] = []
        labels = lambda n: ["x"] if n == 1 else [f"x{i}" for i in range(n)]
        inside, self.within = self.within, True
        try:
            code, y = self.inner(layer, run, x, inputs, labels)
        finally:
            self.within = inside
        if code.empty:
            return None, {}, "", y
        name = self.kept(snake(re.sub(r"\W", "_", title or self.title(layer))), function_text(code, layout(y)), TAKEN)
        return name, code.weights, ", ".join(inputs), y

    def use(self, text: str, weights: dict, call: str, x: Any, y: Any) -> Any:
        return self.results(f"{text}({call}, {self.name_text(self.prefix(weights))})", y)

    def function(self, layer: Layer, shape: tuple[int, ...]) -> str:
        """A layer without weights as a function of one value."""
        x = Value("x", shape, np.dtype("float32"))
        code, y = self.inner(layer, lambda x: self.named(self.layer(layer, {}, {}, x)), x, [], lambda _: ["x"])
        if code.attributes:
            raise ExportError("a function", str(layer))
        lines = code.body(layout(y))
        if len(lines) == 1:
            return f"lambda x: {lines[0].removeprefix('return ')}"
        return self.kept(layer.kind, "\n".join(["(x):", *(f"    {line}" for line in lines)]), TAKEN)

    def prefix(self, weights: dict, name: str | None = None) -> str:
        """A name that the names of the layers of a function begin with; they become this code's."""
        name = self.unused(name)
        number = 1
        while any(f"{name}_{key.partition('/')[0]}" in self.code.attributes for key in weights):
            number += 1
            name = f"{name.removesuffix(f'_{number - 1}')}_{number}"
        for key, array in weights.items():
            self.code.weights[f"{name}_{key}"] = array
            self.code.attributes[f"{name}_{key.partition('/')[0]}"] = ""
        self.code.attributes[name] = ""
        return name


def function_text(code: Code, returned: str) -> str:
    """A function from its arguments on."""
    lines = [f"# {note}" for note in code.notes] + code.body(returned)
    return "\n".join([f"({', '.join([*code.labels, 'name'])}):", *(f"    {line}" for line in lines)])
