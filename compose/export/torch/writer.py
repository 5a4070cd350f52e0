"""The writer of PyTorch: submodules of a class, channels first, `nn.Sequential` where a class is nothing else."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import nn

from compose.core.layer import Layer
from compose.export.source.code import Code, camel
from compose.export.source.pieces import Pieces
from compose.export.source.text import layout, number
from compose.export.source.value import Step, Value
from compose.export.source.writer import SourceWriter
from compose.export.torch.class_text import class_text, sequence
from compose.export.torch.registry import TABLE

TAKEN = {*dir(nn.Module()), "training", "forward"}
PIECES = Pieces(Path(__file__).parent / "pieces")


class Writer(SourceWriter):
    """What rules write PyTorch with."""

    framework, words, pieces = "PyTorch", TABLE, PIECES
    binary: ClassVar = {
        "logical_and": "torch.logical_and({}, {})", "logical_or": "torch.logical_or({}, {})",
        "logical_xor": "torch.logical_xor({}, {})", "arctan2": "torch.atan2({}, {})", "hypot": "torch.hypot({}, {})",
        "logaddexp": "torch.logaddexp({}, {})", "maximum": "torch.maximum({}, {})",
        "minimum": "torch.minimum({}, {})", "fmod": "torch.fmod({}, {})", "copysign": "torch.copysign({}, {})",
        "where": "torch.where({}, {}, {})",
    }  # fmt: skip

    # Submodules and weights

    def attribute_named(self, name: str) -> str:
        name = re.sub(r"\W", "_", name)
        name = f"layer_{name}" if name[:1].isdigit() else name
        return f"{name}_" if name in TAKEN or keyword.iskeyword(name) else name

    def module(self, x: Value, text: str, weights: dict[str, Any] | None = None, shape: Any = None, dtype: Any = None,
               first: bool | None = None, name: str | None = None) -> Value:  # fmt: skip
        """Pass a value through a module of this class."""
        name = self.submodule(text, weights, name)
        made = self.call(x, f"self.{name}({{}})", text, shape, dtype, first)
        return made.but(steps=(*made.steps[:-1], Step(f"self.{name}({{}})", text, name)))

    def submodule(self, text: str, weights: dict[str, Any] | None = None, name: str | None = None) -> str:
        """Add a submodule: its name."""
        name = self.unused(name)
        self.code.attributes[name] = text
        for key, array in (weights or {}).items():
            self.code.weights[f"{name}.{key}"] = array
        return name

    def parameter(self, array: Any, name: str) -> str:
        """Add a parameter of the class itself: the text that reads it."""
        name = self.unused(name)
        sizes = ", ".join(map(str, np.shape(array))) or "()"
        self.code.lines.append(f"self.{name} = nn.Parameter(torch.empty({sizes}))")
        self.code.weights[name] = array
        return f"self.{name}"

    def constant(self, array: Any, name: str) -> str:
        """Add numbers that are no parameters, as a buffer in the weights: the text that reads it."""
        name = self.unused(name)
        array = np.asarray(array)
        sizes = ", ".join(map(str, array.shape)) or "()"
        kind = "" if array.dtype.kind == "f" else f", dtype=torch.{array.dtype.name}"
        self.code.lines.append(f'self.register_buffer("{name}", torch.zeros({sizes}{kind}))')
        self.code.weights[name] = array
        return f"self.{name}"

    def constant_number(self, value: Any) -> str:
        return f"torch.tensor({number(value)})"

    # Layouts

    def first(self, x: Value) -> Value:
        """The value with channels second, as torch's convolutions have them."""
        if x.first or x.ndim < 3:
            return x
        if x.steps and x.steps[-1].text == _last(x.ndim):
            return x.but(steps=x.steps[:-1], first=True)
        return self.call(x, _first(x.ndim), first=True)

    def last(self, x: Value) -> Value:
        """The value with its axes as the network has them."""
        if not x.first:
            return x
        return self.call(x, _last(x.ndim), first=False)

    # Classes

    def apart(
        self, layer: Layer, run: Callable[[Any], Any], x: Any, title: str | None = None
    ) -> tuple[str | None, dict, str, Any]:
        inputs: list[str] = []
        labels = lambda n: ["x"] if n == 1 else [f"x{i}" for i in range(n)]
        code, y = self.inner(layer, run, x, inputs, labels)
        if code.empty:
            return None, {}, "", y
        return self.text_of(code, title or self.title(layer), y), code.weights, ", ".join(inputs), y

    def use(self, text: str, weights: dict, call: str, x: Any, y: Any) -> Any:
        if isinstance(y, Value) and isinstance(x, Value):
            return self.module(x, text, weights, y.shape, y.dtype, y.first)
        return self.results(f"self.{self.submodule(text, weights)}({call})", y)

    def text_of(self, code: Code, title: str, y: Any) -> str:
        """The text that makes a module of what was written."""
        parts = sequence(code, y.base) if isinstance(y, Value) else None
        if parts is not None and not code.notes:
            inside = ", ".join(f"{k}={v}" for k, v in parts.items())
            return f"nn.Sequential(OrderedDict({inside}))"
        return f"{self.kept(camel(title), class_text(code, layout(y)), ('Network', 'OrderedDict', 'F'))}()"


def _first(rank: int) -> str:
    space = ", ".join(map(str, range(1, rank - 1)))
    return "{}.transpose(1, 2)" if rank == 3 else f"{{}}.permute(0, {rank - 1}, {space})"


def _last(rank: int) -> str:
    return "{}.transpose(1, 2)" if rank == 3 else f"{{}}.permute(0, {', '.join(map(str, range(2, rank)))}, 1)"
