"""Weights and constants of an ONNX file where a rule expects one, and arithmetic that broadcasts as ONNX does."""

from __future__ import annotations

from typing import Any, TypeGuard, overload

import numpy as np
from onnx import helper

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.batch import BatchError
from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.each_example import batch_input, of_one_example
from compose.port.ir.weights import Constant, View
from compose.port.lowering import literals
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.batch import SECOND, BatchNumber, batch_number
from compose.port.lowering.binary import binary
from compose.port.lowering.each_example import for_each
from compose.port.lowering.layout_lowering import LayoutLowering
from compose.port.lowering.values import BATCH, Known, Pending, Value, Weight, identity_axes


class Operands(LayoutLowering):
    """What a rule may ask of the inputs of a node.

    Attributes:
        graph: the folded graph.
        env: what each name of the graph is.
        node: the node that is being lowered.
        derived: weights that are computed from others.
        origins: for each of these, the file's weights that it is computed from.
        constant: the weights that are used as constants.
        alike: the constants that the file repeats for each example, by `id`, as those of one.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.env: dict[str, Any] = {**graph.constants, "": None}
        self.env.update({n: Weight.of(View(n), w) for n, w in graph.weights.items()})
        self.node: Any = None
        self.derived: dict[str, np.ndarray] = {}
        self.origins: dict[str, frozenset[str]] = {}
        self.constant: set[str] = set()
        self._varying = {id(graph.constants[name]): second for name, second in graph.varying.items()}
        self.alike = of_one_example(graph)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.graph.shapes[self.node.outputs[0]]

    def fixed(self, x: Any, any_batch: bool = False) -> np.ndarray | None:
        """The numbers of a constant, or of a weight that is used as one; None for a value.

        Raises `BatchError` for numbers that follow from the batch, unless the rule says that it takes care of them.
        """
        if isinstance(x, Weight):
            self.constant.add(x.view.source)
            return x.array
        if not any_batch:
            self.check_batch(x)
        return None if isinstance(x, (Value, Pending)) else x

    def known(self, x: Any, any_batch: bool = False) -> np.ndarray:
        """As `fixed`. Raises `PortError` for a value."""
        array = self.fixed(x, any_batch)
        if array is None:
            raise PortError(f"places, sizes or widths that do not depend on the input, for {self.node.op}")
        return array

    def check_batch(self, *xs: Any) -> None:
        """Raise `BatchError` for a constant that is another one for another batch."""
        if any(id(x) in self._varying for x in xs):
            raise BatchError(f"numbers that do not follow from the batch, at {self.node.where} ({self.node.op})")

    def counts(self, name: str) -> bool:
        """Whether a value is of whole numbers."""
        return helper.tensor_dtype_to_np_dtype(self.graph.kinds[name]).kind in "iu"

    def value(self, x: Any) -> Value:
        """What a layer may read. Raises `PortError` for a weight or a constant."""
        if isinstance(x, Value):
            return x
        if isinstance(x, Pending):
            return x.value()
        kind = {Weight: "a weight", np.ndarray: "a constant"}.get(type(x), "a part of a result that cannot be read")
        raise PortError(f"a value that depends on the input, got {kind}, at {self.node.where} ({self.node.op})")

    @overload
    def weight(self, x: None, repeated: bool = False) -> None: ...

    @overload
    def weight(self, x: Weight | Value | np.ndarray, repeated: bool = False) -> Weight: ...

    def weight(self, x: Any, repeated: bool = False) -> Weight | None:
        """A weight as the file stores it: one that was computed from others becomes an array of its own.

        One that the file repeats for each example stays as it is stored; the rule says where it takes care of that.
        """
        self.check_batch(x)
        if not repeated and self.is_repeated(x):
            raise PortError("a weight that the file does not repeat for each example")
        if x is None or (isinstance(x, Weight) and (x.view == View(x.view.source, rows=x.view.rows))):
            return x
        if isinstance(x, Value):
            raise PortError(f"weights, got a value of the model for them, at {self.node.where} ({self.node.op})")
        name = next(n for n in (*self.node.inputs, *self.graph.outputs) if self.env.get(n) is x)
        return self.own(name, x.array if isinstance(x, Weight) else x, x)

    def kernel(self, x: Any) -> Any:
        """As `weight`, for a layer that has the axes in an order of its own: the file may store it in another shape."""
        return x if _is_stored(x) and not self.is_repeated(x) else self.weight(x)

    def repeated_to(self, x: Any) -> tuple[int, ...] | None:
        """The shape to which the file repeats a weight or a constant for each example, which is left undone here."""
        names = [n for n in (*self.node.inputs, *self.graph.outputs) if n and self.env.get(n) is x]
        if id(x) in self.alike:
            return x.shape
        shapes = [self.graph.shapes[n] for n in names] if isinstance(x, Weight) else []
        return next((shape for shape in shapes if x.shape != shape), None)

    def is_repeated(self, x: Any) -> bool:
        """Whether the file repeats a weight or a constant for each example."""
        return self.repeated_to(x) is not None

    def bias(self, x: Any) -> Weight | None:
        """As `weight`, but a row of numbers may be stored in another shape; none where the file adds its own zeros."""
        if isinstance(x, Weight) and len(x.shape) == 1:
            return self.kernel(x)
        return None if isinstance(x, np.ndarray) and not np.any(x) else self.weight(x)

    def own(self, name: str, array: np.ndarray, *computed_from: Any) -> Weight:
        """A weight that the file has under no name of an initialiser, as one."""
        self.derived[name] = np.asarray(array, np.float64)
        sources = [x.view.source for x in computed_from if isinstance(x, Weight) and not isinstance(x.view, Constant)]
        self.origins[name] = frozenset().union(*(self.origins.get(source, {source}) for source in sources))
        weight = Weight.of(View(name), self.derived[name])
        self.env[name] = weight
        return weight

    # Arithmetic.

    def number(self, x: Any) -> float | None:
        """A constant of one element as a number, an int if its type is one."""
        array = x.array if isinstance(x, Weight) else x
        if not isinstance(array, np.ndarray) or array.size != 1:
            return None
        return self.known(x).item()

    @property
    def of_whole_numbers(self) -> bool:
        return self.counts(self.node.outputs[0])

    def beside(self, known: Known, x: Value) -> Value:
        return self.as_value(known)

    def of_batch(self, x: Any) -> BatchNumber | None:
        second = self._varying.get(id(x))
        return None if second is None else batch_number(x, second, BATCH, SECOND)

    def batch_size(self, x: Value) -> Value:
        first = self.env[self.graph.inputs[0]]
        whole = x if x.shape[:1] == (BATCH,) else first
        return self.emit(word("ops.size")(axis=whole.axes.index(0)), whole, shape=(), axes=())

    def from_left(self, operation: str, known: Any, x: Value) -> Value:
        if self.number(known) is None and (isinstance(known, np.ndarray) or self.shape != x.shape):
            return self.joined(operation, self.as_value(known), x)
        return super().from_left(operation, known, x)

    def with_inverse(self, operation: str, x: Value, known: Known) -> Value:
        return self.joined(operation, x, self.as_value(known))

    def with_known(self, operation: str, x: Value, known: Known) -> Value:
        if id(known) in self.alike and x.shape == self.shape:  # of one example
            one = self.alike[id(known)]
            plain = literals.number(one)
            return (
                self.learned_along(operation, x, one) if plain is None else binary(self, operation, x, np.array(plain))
            )
        learns = operation in ("add", "multiply") and isinstance(known, (Weight, np.ndarray))
        x, shape = self.whole(x), self.shape
        full = (1,) * (x.ndim - len(known.shape)) + tuple(known.shape)  # pyright: ignore[reportAttributeAccessIssue]
        one_for_all = not x.ndim or (len(full) == x.ndim and full[x.axes[0]] == 1)
        if not learns or not one_for_all or len(shape) != x.ndim or shape[0] != x.shape[0] or x.axes[0] != 0:
            return self.joined(operation, x, self.as_value(known))
        weight = known if _is_stored(known) else self.weight(known, repeated=True)  # pyright: ignore[reportArgumentType, reportCallIssue]
        if shape != x.shape:
            x = self.emit(word("broadcast_to")(*(shape[a] for a in x.axes[1:])), x, shape=shape, axes=x.axes)
        return self.learned_along(operation, x, weight)

    def as_value(self, x: Any) -> Value:
        """What a layer may read: a weight or a constant becomes a value of its own, in the source's layout."""
        if isinstance(x, (Value, Pending)):
            return self.value(x)
        if isinstance(x, Weight) and x.array.dtype.kind in "iu":  # none that is trained
            x = self.known(x)
        shape = self.repeated_to(x)
        if shape is not None:
            return for_each(self, self.alike.get(id(x), x), shape, batch_input(self))
        self.check_batch(x)
        like, array = self.env[self.graph.inputs[0]], np.asarray(x.array if isinstance(x, Weight) else x)
        weight = self.weight(x) if isinstance(x, Weight) else Weight.of(Constant(array=array), array, trained=False)
        layer, arrays = layer_of(weight, array.shape, batch=False)
        return self.emit(layer, like, shape=array.shape, axes=identity_axes(array.ndim), **arrays)


def _is_stored(x: Any) -> TypeGuard[Weight]:
    """Whether these are an array of the file, or rows of one, in any shape."""
    return isinstance(x, Weight) and x.view == View(x.view.source, rows=x.view.rows, shape=x.view.shape)
