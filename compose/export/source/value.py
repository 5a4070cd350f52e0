"""What rules pass on: a Python expression, with the shape that its value has in the network."""

from __future__ import annotations

import ast
import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

TOKEN = re.compile(r"«\d+»")


@dataclass(frozen=True)
class Step:
    """One call of a chain: `text` with `{}` for its argument, and the module that does the same, if there is one."""

    text: str
    module: str | None = None
    name: str | None = None  # of the submodule that it calls


@dataclass(frozen=True)
class Value:
    """An expression: `base`, passed through `steps`.

    Attributes:
        base: a token of the code, such as `«3»`, or an expression of several.
        shape, dtype: those of the array in the network, whose channels are last.
        first: whether the tensor has its channels second, in a framework whose convolutions take them so.
        steps: calls, each on the result of the one before.
    """

    base: str
    shape: tuple[int, ...]
    dtype: Any
    first: bool = False
    steps: tuple[Step, ...] = ()

    @property
    def text(self) -> str:
        text = self.base
        for step in self.steps:
            text = step.text.replace("{}", text if in_call(step.text) else atomic(text))
        return text

    def __str__(self) -> str:
        return self.text

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def floats(self) -> bool:
        return np.dtype(self.dtype).kind == "f"

    def axis(self, axis: int) -> int:
        """Where an axis of the network lies in the tensor."""
        axis %= self.ndim
        if not self.first or axis == 0:
            return axis
        return 1 if axis == self.ndim - 1 else axis + 1

    def but(self, **changes: Any) -> Value:
        return dataclasses.replace(self, **changes)


def in_call(text: str) -> bool:
    """Whether `{}` is a whole argument of a call, where any expression may stand."""
    at = text.index("{}")
    return text[:at].endswith(("(", ", ")) and text[at + 2 : at + 3] in (")", ",")


def atomic(text: str) -> str:
    """In parentheses where it needs them beside an operator or before a dot."""
    tree = ast.parse(TOKEN.sub("x", text), mode="eval").body
    return text if isinstance(tree, (ast.Call, ast.Name, ast.Attribute, ast.Subscript)) else f"({text})"
