"""Arithmetic of values, numbers, constant arrays and weights, on either side of an operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.ir.weights import Constant, View
from compose.port.lowering.base import Lowering, V
from compose.port.lowering.batch import BatchNumber, by_batch
from compose.port.lowering.literals import number, unrepeated
from compose.port.lowering.values import BroadcastWeight, GraphWeight, Known

_NUMBER = {"add": ("add_constant", "value", 0), "multiply": ("scale", "by", 1)}
_LEARNED = {"add": "learned_bias", "multiply": "learned_scale"}
_COMMUTING = {"subtract": "add", "divide": "multiply"}


class Arithmetic(Lowering[V]):
    """A lowering whose rules call `binary`. Front ends override what they express by other layers.

    Attributes:
        negative: the number that a value is scaled by to negate it.
        dropped: the operations that are dropped if their number changes nothing, as `x + 0`.
        biased: the layers that a sum may become the bias of.
    """

    negative: ClassVar[float] = -1.0
    dropped: ClassVar[frozenset[str]] = frozenset({"add", "subtract", "multiply", "divide"})
    biased: ClassVar[tuple[str, ...]] = ("fc", "conv")

    @property
    def of_whole_numbers(self) -> bool:
        """Whether the operation gives whole numbers, which stay so: places must be."""
        return False

    @property
    def minus(self) -> Layer:
        """The layer of `-x`."""
        return word("scale")(by=-1 if self.of_whole_numbers else self.negative)

    def number(self, x: Any) -> float | None:
        """The number that a constant is everywhere; None for anything else."""
        return number(x)

    def beside(self, known: Any, x: V) -> V:
        """An array or a weight as a value, next to another."""
        raise NotImplementedError

    def of_batch(self, x: Any) -> BatchNumber | None:
        """What a constant is that follows from the size of the batch; None for anything else."""
        return None

    def with_batch(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Two operands, of which what lacks the batch that a constant beside it has is repeated for each example."""
        return a, b

    def widened(self, x: V, known: Any) -> V:
        """A value repeated along the axes along which a constant or a weight beside it is longer."""
        return x

    def batch_size(self, x: V) -> V:
        """The size of the batch as a value, read from `x` if its first axis is the batch."""
        raise NotImplementedError

    def pair(self, operation: str, a: V, b: V) -> V:
        """A layer of two values."""
        return self.emit(word(operation), a, b)

    def from_left(self, operation: str, known: Any, x: V) -> V:
        """`known - x` as `-x + known`, `known / x` as `1 / x * known`."""
        inverse = word("ops.reciprocal") if operation == "divide" else self.minus
        return binary(self, _COMMUTING[operation], self.along(inverse, x), known)

    def with_inverse(self, operation: str, x: V, known: Known) -> V:
        """`x - known` or `x / known` of an array or a weight. Raises `PortError` for a division by a weight."""
        if isinstance(known, np.ndarray):
            return binary(self, _COMMUTING[operation], x, -known if operation == "subtract" else 1 / known)
        if operation == "divide":
            raise PortError("a value times a weight, got it divided by one; keep the reciprocal as the weight")
        return self.along(self.minus, binary(self, "add", self.along(self.minus, x), known))

    def with_known(self, operation: str, x: V, known: Any) -> V:
        """`x + known` or `x * known` of an array or a weight: positions, the bias of a product, or a new layer."""
        if operation not in _LEARNED or not isinstance(known, (np.ndarray, BroadcastWeight)):
            what = "an array of constants" if isinstance(known, np.ndarray) else "a weight computed from others"
            raise PortError(f"a number, got {what}; make it a parameter, or a function under @compose.register")
        if isinstance(known, np.ndarray):
            known = unrepeated(known)
            known = np.array(known.reshape(without_leading_ones(known.shape)))
            return self.learned(operation, x, Constant(array=known), known.shape)
        if operation == "add":
            if known.places and len(self.shape) == 3 and self.shape[1] == known.shape[-2]:
                table = {"embedding": View(known.view.source)}
                return self.emit(word("learned_positions")(known.places), x, weights=table)
            if self.joins_bias(x, known, known.own, x.shape[-1]):
                return x
        shape = without_leading_ones(known.own)
        view = known.view if shape == known.own else replace(known.view, shape=shape)
        return self.learned(operation, x, view, shape)

    def learned(self, operation: str, x: V, weight: Any, shape: tuple[int, ...]) -> V:
        """`learned_bias` or `learned_scale` of a weight; its shape is left out if it is that of the channels."""
        name = _LEARNED[operation]
        layer = word(name)() if shape == x.shape[-1:] else word(name)(shape=shape)
        return self.emit(layer, x, weights={name.removeprefix("learned_"): weight})

    def joins_bias(self, x: V, bias: GraphWeight, shape: tuple[int, ...], channels: int) -> bool:
        """Make a weight of this shape the bias of the product that computes `x`.

        False if there is no product without a bias, if something else reads it, or if only one of both is trained.
        """
        op, frozen = self.producer(x), word("frozen")
        if op is None or (shape[-1:] or (1,)) != (channels,) or set(shape[:-1]) - {1}:
            return False
        layer: Any = op.layer
        product = layer.inner if isinstance(layer, frozen) else layer
        if product.kind not in self.biased or product.bias or "kernel" not in op.weights:
            return False
        if bias.trained != (product is layer) or self.is_shared(x):
            return False
        biased = product.but(bias=True)
        view = bias.view if shape == (channels,) else bias.reshaped_view((channels,))
        self.replace_op(op, layer=biased if bias.trained else frozen(biased), weights={**op.weights, "bias": view})
        return True


def binary(lowering: Arithmetic[V], operation: str, a: Any, b: Any) -> V:
    """`a + b`, `a - b`, `a * b` or `a / b`, of which at least one is a value.

    Two values are joined by one layer. A number becomes `add_constant` or `scale`. An array or weight becomes a
    `learned_bias` or `learned_scale`, or the bias of the product before it. Anything but a value on the left of `-` or
    `/` is added to the negative value, or multiplied by its reciprocal.

    Args:
        operation: `"add"`, `"subtract"`, `"multiply"` or `"divide"`.

    Raises `PortError` for a combination that no layer expresses.
    """
    a, b = lowering.with_batch(a, b)
    if lowering.is_value(a) and lowering.is_value(b):
        return lowering.pair(operation, a, b)
    for turned, (x, known) in enumerate(((a, b), (b, a))):
        of_batch = lowering.of_batch(known)
        if of_batch is not None:
            return by_batch(lowering, operation, x, of_batch, lowering.batch_size(x), bool(turned))
    if not lowering.is_value(a):
        b = lowering.widened(b, a)
        if operation in _COMMUTING:
            return lowering.from_left(operation, a, b)
        a, b = b, a
    else:
        a = lowering.widened(a, b)
    value = lowering.number(b)
    if value is not None:
        return _with_number(lowering, operation, a, int(value) if lowering.of_whole_numbers else value)
    if lowering.of_whole_numbers:
        return lowering.pair(operation, a, lowering.beside(b, a))
    return lowering.with_inverse(operation, a, b) if operation in _COMMUTING else lowering.with_known(operation, a, b)


def extreme(lowering: Arithmetic[V], operation: str, a: Any, b: Any) -> V:
    """`"maximum"` or `"minimum"` of two values, or of a value and a number."""
    if lowering.is_value(a) and lowering.is_value(b):
        return lowering.pair(operation, a, b)
    x, known = (a, b) if lowering.is_value(a) else (b, a)
    bound = lowering.number(known)
    if bound is None and lowering.of_whole_numbers:
        return lowering.pair(operation, x, lowering.beside(known, x))
    if bound is None:
        return lowering.with_known(operation, x, known)
    return lowering.each(bounded(lowering, operation, bound), x)


def bounded(lowering: Arithmetic, operation: str, bound: float) -> Layer:
    """The layer for the maximum or minimum of a value and a number."""
    if operation == "minimum":
        return clipped(lowering, max=bound)
    return word("relu") if bound == 0 and not lowering.of_whole_numbers else clipped(lowering, min=bound)


def clipped(lowering: Arithmetic, **bounds: float) -> Layer:
    """The layer of values between `min` and `max`, or one of both; of whole numbers it gives such."""
    if lowering.of_whole_numbers:
        return word("ops.clip")(**{name: int(bound) for name, bound in bounds.items()})
    return word("clip")(**bounds)


def without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts alike, with as few axes as possible.

    >>> without_leading_ones((1, 1, 3, 1)), without_leading_ones((1, 1))
    ((3, 1), (1,))
    """
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape) - 1)
    return shape[max(first, 0) :]


def _with_number(lowering: Arithmetic[V], operation: str, x: V, value: float) -> V:
    """A number after the operator, dropped if it changes nothing."""
    commuting = _COMMUTING.get(operation, operation)
    name, option, idle = _NUMBER[commuting]
    if value == (1 if operation == "divide" else idle) and operation in lowering.dropped and lowering.shape == x.shape:
        return x
    if operation == "divide" and value == 0:
        return lowering.each(word("ops.divide")(x2=value), x)
    if operation in _COMMUTING:
        value = -value if operation == "subtract" else 1 / value
    return lowering.each(word(name)(**{option: value}), x)
