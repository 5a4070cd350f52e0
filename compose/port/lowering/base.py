"""What the lowerings of all front ends share: emitting layers, freezing them, and refusing what has no rule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, NamedTuple, TypeGuard, TypeVar

import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.layer import Layer, as_layer
from compose.core.registry import word
from compose.port.ir.graph import Op
from compose.port.ir.weights import Constant, View
from compose.port.lowering.stand_ins import refuse_stand_ins
from compose.port.lowering.unsupported import Missing, refuse
from compose.port.lowering.values import BATCH, GraphValue, GraphWeight

V = TypeVar("V", bound=GraphValue)
Views = dict[str, View | tuple[View, ...]]  # how each array of a layer is taken


class Place(NamedTuple):
    """Where the source has a node: the names of the modules around it, their classes, and the user's line."""

    path: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    line: str = ""


class Lowering(Generic[V]):
    """The layers emitted so far. A front end adds the walk over its nodes and fills the hooks; rules call `emit`.

    Attributes:
        ops: the layers, in the order in which they run.
        missing: the operations without a rule.
        example: targets of `port.rule`, for the error that lists those operations.
    """

    example: ClassVar[str]

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.missing: list[Missing] = []
        self._count = 0

    def is_value(self, x: object) -> TypeGuard[V]:
        """Whether something depends on the model's input."""
        return isinstance(x, GraphValue)

    # Hooks.

    @property
    def shape(self) -> tuple[int, ...]:
        """The source's shape of the node that is being lowered."""
        raise NotImplementedError

    def place(self) -> Place:
        """The place of that node in the source."""
        raise NotImplementedError

    def result(self, inputs: Sequence[V], shape: Iterable[int] | None, *args: Any, **layout: Any) -> V:
        """A new value for the output of a layer."""
        raise NotImplementedError

    def view(self, weight: Any) -> View | tuple[View, ...]:
        """How a weight that a rule gives is taken."""
        if isinstance(weight, np.ndarray):
            return Constant(array=weight)
        return weight.view if isinstance(weight, GraphWeight) else weight

    def trains(self, weight: Any) -> bool:
        """Whether the source trains a weight that a rule gives."""
        return not isinstance(weight, np.ndarray) and (not isinstance(weight, GraphWeight) or weight.trained)

    def any_trains(self, layer: Layer, weights: Mapping[str, Any]) -> bool:
        """Whether the source trains any weight of a layer."""
        return any([self.trains(weight) for weight in weights.values()])

    def finish(self, layer: Layer, weights: Views, state: Views) -> tuple[Layer, Views]:
        """The layer and its weights, wrapped as the front end needs them."""
        return layer, weights

    def location(self) -> str:
        """Where the node is, for a note on an error."""
        raise NotImplementedError

    def stands_for_batch(self, n: int) -> bool:
        """Whether a number can only have come from the stand-in for the batch's size."""
        return n != 0 and n % BATCH == 0

    def is_shared(self, x: V) -> bool:
        """Whether more than one node of the source reads a value."""
        raise NotImplementedError

    # What rules call.

    def emit(
        self,
        layer: Any,
        *inputs: V,
        shape: Iterable[int] | None = None,
        weights: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        **layout: Any,
    ) -> V:
        """Apply a layer. It is frozen if the source trains none of its weights.

        Args:
            shape: the source's shape of the output; the node's by default.
            weights, state: for each array of the layer how it is taken; None for those that the layer does not have.
            layout: what else the front end's values know, see `result`.

        Raises `PortError` for an input that does not depend on the model's input, and for weights that do.
        """
        for value in inputs:
            if not isinstance(value, GraphValue):
                raise PortError(f"values that depend on the input as inputs of {layer}, got {_kind(value)}")
        layer, output = as_layer(layer), self.result(inputs, shape, **layout)
        given, held = ({k: w for k, w in (tree or {}).items() if w is not None} for tree in (weights, state))
        computed = [name for name, w in {**given, **held}.items() if isinstance(w, GraphValue)]
        if computed:
            raise PortError(f"parameters or constants as {' and '.join(computed)} of {layer}, got results of layers")
        if given and not isinstance(layer, word("frozen")) and not self.any_trains(layer, given):
            layer = word("frozen")(layer)
        views, kept = ({k: self.view(w) for k, w in tree.items()} for tree in (given, held))
        layer, views = self.finish(layer, views, kept)
        refuse_stand_ins(layer, [*views.values(), *kept.values()], self.stands_for_batch)
        spreads = len({v.made for v in inputs}) > 1
        self.ops.append(Op(layer, tuple(v.index for v in inputs), output.index, views, kept, *self.place(), spreads))
        return output

    def each(self, layer: Any, x: V) -> V:
        """Apply a layer that maps each element."""
        return self.emit(layer, x)

    def along(self, layer: Any, x: V) -> V:
        """Apply a layer that keeps all axes but the last."""
        return self.emit(layer, x)

    # What front ends call.

    def new_index(self) -> int:
        """An index that no value has yet."""
        self._count += 1
        return self._count - 1

    def lacks(self, operation: str, where: str, hint: str = "") -> None:
        """Record an operation without a rule."""
        self.missing.append(Missing(operation, where, hint))

    def refuse(self, partial: bool) -> None:
        """Raise `PortError` if operations without a rule were found: for the first, or with `partial` for all."""
        refuse(self.missing, partial, self.example)

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Add the node's location to errors."""
        try:
            yield
        except ComposeError as e:
            note = self.location()
            if note not in getattr(e, "__notes__", ()):
                e.add_note(note)
            raise

    # Editing what was emitted.

    def producer(self, x: V) -> Op | None:
        """The layer that computes a value, if one was emitted for it."""
        return next((op for op in reversed(self.ops) if op.output == x.index), None)

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[Op]]:
        """A list that holds, after the `with` block, the layers emitted in it."""
        start, emitted = len(self.ops), []
        yield emitted
        emitted += self.ops[start:]

    @contextlib.contextmanager
    def separately(self) -> Iterator[None]:
        """In the `with` block layers are emitted to a list of their own, which cannot edit those before."""
        around, self.ops = self.ops, []
        try:
            yield
        finally:
            self.ops = around

    def replace_op(self, op: Op, **changes: Any) -> Op:
        """Change a layer that was emitted."""
        new = replace(op, **changes)
        self.ops[self._place(op)] = new
        return new

    def drop(self, op: Op) -> None:
        """Take out a layer that was emitted."""
        del self.ops[self._place(op)]

    def _place(self, op: Op) -> int:
        return next(i for i, other in enumerate(self.ops) if other is op)


def _kind(value: Any) -> str:
    if isinstance(value, GraphWeight):
        return f"a weight, {value.view.source}"
    return "a constant" if isinstance(value, (int, float, np.ndarray)) else type(value).__name__
