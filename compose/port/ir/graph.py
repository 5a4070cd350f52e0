"""The graph that every front end produces: layers, their inputs and outputs, and where their weights come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compose.core.layer import Layer
from compose.port.ir.weights import View


@dataclass(frozen=True)
class Body:
    """What one branch of a choice computes: a graph of its own within an operation.

    Attributes:
        inputs: its names for the values that it is given.
        ops: the operations, in topological order, which read no other values.
        outputs: the value that it returns.
    """

    inputs: tuple[int, ...]
    ops: tuple[Op, ...]
    outputs: int


@dataclass(frozen=True)
class Op:
    """One layer applied to values.

    Attributes:
        layer: the layer, without a name; names are assigned in `structure`.
        inputs: the values it reads, in the order of the layer's input tuple.
        output: the value it computes.
        weights: how to convert each parameter of the layer (`"kernel"`, `"activation/slope"`); a tuple of `View`s for
            several arrays concatenated along the last axis.
        state: the same for its state.
        path: its name in the source, outermost first, such as `("layer1", "0", "conv1")`; () if it has none.
        classes: the source's class for every prefix of `path`, such as `("Sequential", "BasicBlock", "Conv2d")`.
        where: the file and line in the user's code, or "".
        spreads: whether its inputs have different shapes, so that a sum is no residual.
        bodies: for a `choose` what its two branches compute of its inputs but the first; they hold the weights.
    """

    layer: Layer
    inputs: tuple[int, ...]
    output: int
    weights: Mapping[str, View | tuple[View, ...]] = field(default_factory=dict)
    state: Mapping[str, View | tuple[View, ...]] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    where: str = ""
    spreads: bool = False
    bodies: tuple[Body, ...] = ()

    def views(self) -> Iterator[View]:
        """All `View`s of its weights and state, and of those inside."""
        for view in (*self.weights.values(), *self.state.values()):
            yield from view if isinstance(view, tuple) else (view,)
        for body in self.bodies:
            for op in body.ops:
                yield from op.views()


@dataclass(frozen=True)
class Saved:
    """The entries of the source's own checkpoint: a torch `state_dict()`, Keras's `get_weights()`, Flax's variables.

    Attributes:
        framework: `"torch"`, `"keras"` or `"flax"`.
        names: maps every entry, in the source's order, to its array in `SourceGraph.arrays`; tied weights map to the
            same array.
        rest: the entries that are not weights of the network, such as batch norm's batch counter.
        fixed: the entries of `rest` that are part of the network's expression.
    """

    framework: str
    names: dict[str, str]
    rest: dict[str, Any] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceGraph:
    """A model as read by its front end.

    Attributes:
        inputs: the input values.
        ops: the operations, in topological order.
        outputs: the output value, or a tuple of them (nested as the source returns them).
        arrays: the source's weights by name, as NumPy arrays.
        name: the name of the model's class or function.
        input_axes, output_axes: the axis permutation of each input and output leaf: ours is
            `source.transpose(axes)`; None if the axes are the same.
        unread: parts of arrays that the source holds but does not use.
        saved: the entries of the source's own checkpoint, if it has one.
        notes: what the source does that the network does not, as in training, one line each, for the report.
    """

    inputs: tuple[int, ...]
    ops: tuple[Op, ...]
    outputs: Any
    arrays: dict[str, Any]
    name: str = "model"
    input_axes: tuple[tuple[int, ...] | None, ...] = ()
    output_axes: tuple[tuple[int, ...] | None, ...] = ()
    unread: tuple[View, ...] = ()
    saved: Saved | None = None
    notes: tuple[str, ...] = ()
