"""Expressions of parameters alone: their layers are emitted where a value of the model first meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.fx.node import map_aggregate

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import Operands, alone, is_complex, plain
from compose.port.ir.weights import Constant
from compose.port.lowering.values import Pending, Value, Weight, identity_axes

_OF_TABLES = ("embedding", "index")
_OF_THE_FIRST = (
    "linear", "conv1d", "conv2d", "conv3d", "batch_norm", "layer_norm", "group_norm", "rms_norm", "prelu",
)  # fmt: skip


@dataclass(eq=False)
class Derived(Pending):
    """The result of a node that reads only parameters, constants and other such results.

    Attributes:
        node, rule: the node, and the rule that lowers it.
        args, kwargs: the arguments of the rule.
        shape: the source's shape, without a batch.
        emitted: the value, or the values of a node that gives several, once it was emitted.
    """

    lowering: Operands
    node: Any
    rule: Callable
    args: Any
    kwargs: Any
    shape: tuple[int, ...]
    emitted: Any = field(default=None)

    def beside(self, like: Value, real: bool = False) -> Any:
        """The value; its parameters are emitted with another value as their input, of which they have the dtype alone.

        Of a node that gives several it is the tuple of them, see `part`.

        Args:
            real: whether that is known to be of real numbers.
        """
        if self.emitted is not None:
            return self.emitted
        if not real and any(map(is_complex, self.lowering.node.all_input_nodes)):
            like = self.lowering.emit(word("ops.real"), like, shape=like.shape)
        args = list(self.args)
        alone = 0 if self.name in _OF_TABLES else 1 if self.name in _OF_THE_FIRST else len(args)
        for i, arg in enumerate(args):
            given: Any = (lambda v: self._given(v, like)) if i < alone else beside_of(like)
            args[i] = map_aggregate(arg, given)
        with self.lowering.at(self.node, like), self.lowering.located():
            made = self.rule(self.lowering, self.node, *args, **self.kwargs)
            several = isinstance(made, (tuple, list))
            self.emitted = tuple(self._value(y, like) for y in made) if several else self._value(made, like)
        return self.emitted

    def _value(self, made: Any, like: Value) -> Value:
        return self.lowering.as_source(made if isinstance(made, Value) else plain(self.lowering, made, like))

    def part(self, i: int, node: Any) -> Derived:
        """One of several results; `node` is the one that takes it."""
        item = lambda low, node, whole, i: whole[i]
        return Derived(self.lowering, node, item, (self, i), {}, tuple(node.meta["val"].shape))

    @property
    def name(self) -> str:
        return str(self.node.target).split(".")[1] if "." in str(self.node.target) else str(self.node.target)

    def _given(self, x: Any, like: Value) -> Any:
        if isinstance(x, Derived):
            return x.beside(like, real=True)
        known = isinstance(x, (np.ndarray, Weight)) and (self.name in _OF_THE_FIRST or self.name == "cat")
        return alone(self.lowering, x, like) if known or (isinstance(x, Weight) and x.trained) else x


def beside_of(like: Value) -> Callable[[Any], Any]:
    """What gives the value of an expression, with another value as its input, and anything else as it is."""
    return lambda x: x.beside(like) if isinstance(x, Derived) else x


def rows(lowering: Operands, table: Weight, places: np.ndarray) -> Value:
    """Rows of a table at constant places, as a value without a batch; beside a value, see `Derived`."""
    if lowering.like is None:
        raise PortError("places that are an input, or one after the other, in a table of its own")
    shape = (*places.shape, table.shape[1])
    layer = word("fixed_rows")(*table.shape, tuple(places.shape))
    state = {"index": Constant(array=(places % table.shape[0]).astype(np.int32))}
    axes = identity_axes(len(shape))
    return lowering.emit(layer, lowering.like, shape=shape, axes=axes, weights={"embedding": table}, state=state)
