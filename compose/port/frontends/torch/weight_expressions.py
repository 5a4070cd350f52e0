"""What is computed of parameters alone: its layers are emitted where a value of the model first meets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.fx.node import map_aggregate

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.ir.weights import Constant
from compose.port.lowering.values import Pending, Value, Weight, identity_axes

_OF_TABLES = ("embedding", "index")
_OF_THE_FIRST = (
    "linear", "conv1d", "conv2d", "conv3d", "batch_norm", "layer_norm", "group_norm", "rms_norm", "prelu",
)  # fmt: skip


@dataclass(eq=False)
class Derived(Pending):
    """The result of a node that reads parameters, constants and other such results.

    Attributes:
        node, rule: what makes it of its arguments.
        shape: the source's, without a batch.
    """

    low: Any
    node: Any
    rule: Callable
    args: Any
    kwargs: Any
    shape: tuple[int, ...]
    made: Value | None = field(default=None)

    def beside(self, like: Value) -> Value:
        """The value; its parameters are emitted with another value as their input, which they do not look at."""
        if self.made is not None:
            return self.made
        args = list(self.args)
        for i in range(0 if self.name in _OF_TABLES else 1 if self.name in _OF_THE_FIRST else len(args)):
            args[i] = map_aggregate(args[i], lambda v: self._given(v, like))  # pyright: ignore[reportArgumentType]
        with self.low.at(self.node, like):
            made: Value = self.low.as_source(self.rule(self.low, self.node, *args, **self.kwargs))
        self.made = made
        return made

    @property
    def name(self) -> str:
        return str(self.node.target).split(".")[1]

    def _given(self, x: Any, like: Value) -> Any:
        if isinstance(x, Derived):
            return x.beside(like)
        known = isinstance(x, (np.ndarray, Weight)) and (self.name in _OF_THE_FIRST or self.name == "cat")
        return alone(self.low, x, like) if known or (isinstance(x, Weight) and x.trained) else x


def alone(low: Any, given: Any, like: Value) -> Value:
    """A parameter or a constant as a value without a batch."""
    shape, axes = tuple(given.shape), identity_axes(len(given.shape))
    weight = given if isinstance(given, Weight) else Constant(array=given)
    return low.emit(word("parameter")(*shape, batch=False), like, shape=shape, axes=axes, weights={"value": weight})


def rows(low: Any, table: Weight, places: np.ndarray) -> Value:
    """Rows of a table at constant places, as a value without a batch; beside a value, see `Derived`."""
    if low.like is None:
        raise PortError("places that are an input, or one after the other, in a table of its own")
    shape = (*places.shape, table.shape[1])
    layer = word("fixed_rows")(*table.shape, tuple(places.shape))
    state = {"index": Constant(array=(places % table.shape[0]).astype(np.int32))}
    axes = identity_axes(len(shape))
    return low.emit(layer, low.like, shape=shape, axes=axes, weights={"embedding": table}, state=state)
