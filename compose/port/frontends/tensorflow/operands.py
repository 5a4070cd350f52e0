"""Arithmetic of TensorFlow, and variables and constants where a rule expects a value."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.repeated import RepeatingVariables
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.frontends.tensorflow.waiting import WaitingLowering
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import Known


class Operands(RepeatingVariables):
    """A lowering whose arithmetic keeps reshapes waiting, and moves permutations behind it.

    Attributes:
        op: the operation that is being lowered.
    """

    biased: ClassVar[tuple[str, ...]] = ("fc", "conv", "depthwise_conv", "conv_transpose")
    op: Any

    def pair(self, operation: str, a: Value, b: Value) -> Value:
        for x, known in ((a, b), (b, a)):
            weight = self.own_parameter(known) if x.shape == self.shape else None
            if weight is not None and operation in ("add", "multiply"):
                return self.with_known(operation, x, weight)
        a, b = self.unrepeated(a, b)
        if a.ours == b.ours != a.shape and a.shape == b.shape:
            return self.emit(word(operation), a, b, ours=a.ours)
        pair = self.whole(a), self.whole(b)
        permuted = self.behind(*pair) if a.shape == b.shape else None
        if permuted is not None:
            values, axes = permuted
            return self.permuted(self.emit(word(operation), *values, shape=values[0].shape), axes)
        if operation == "add" and a.ndim == b.ndim:  # `residual` needs equal shapes
            spread = lambda v: self.emit(word("broadcast_to")(*self.shape[1:]), v)
            pair = tuple(v if v.shape[1:] == self.shape[1:] else spread(v) for v in pair)
        return self.emit(word(operation), *pair)

    @property
    def of_whole_numbers(self) -> bool:
        return self.op.outputs[0].dtype.is_integer

    def beside(self, known: Known, x: Value) -> Value:
        return as_value(self, known, x)

    def with_inverse(self, operation: str, x: Value, known: Known) -> Value:
        if isinstance(known, np.ndarray):
            return super().with_inverse(operation, x, known)
        return self.emit(word(operation), self.whole(x), as_value(self, known, x))

    def with_known(self, operation: str, x: Value, known: Known) -> Value:
        x = x if isinstance(x, Value) else self.whole(x)
        if _is_of_rows(self, known, x):
            return self.pair(operation, x, as_value(self, known, x))
        weight = known if isinstance(known, Weight) else Weight.constant(for_each_example(np.asarray(known), x))
        if operation == "add":
            return self.with_bias(x, weight)
        return self.learned(operation, self.whole(x), weight, weight.shape)

    def with_bias(self, x: Value, bias: Weight, shape: tuple[int, ...] | None = None) -> Value:
        """A sum as the bias of the product before it if it has none, else as a layer of its own."""
        shape = self.shape if shape is None else shape
        if self.joins_bias(x, bias, bias.shape, x.ours[-1]):
            return x.but(shape=shape, ours=x.ours if x.ours != x.shape else shape)
        layer = word("learned_bias") if bias.shape == x.ours[-1:] else word("learned_bias")(shape=bias.shape)
        return self.emit(layer, self.whole(x), shape=shape, weights={"bias": bias})


def as_value(lowering: WaitingLowering, known: Any, like: Value) -> Value:
    """A variable or an array as a value, the same for each example, that broadcasts with another."""
    if isinstance(known, Value):
        return lowering.whole(known)
    if _is_of_rows(lowering, known, like):
        layer, arrays = layer_of(Weight.constant(known), known.shape, batch=False)
        return lowering.emit(layer, lowering.whole(like), shape=known.shape, **arrays)
    weight = Weight.constant(for_each_example(known, like)) if isinstance(known, np.ndarray) else known
    sizes = (1,) * (like.ndim - 1 - len(weight.shape)) + tuple(weight.shape)
    if len(sizes) > like.ndim - 1:
        raise PortError(f"a variable with fewer axes than the value, got {weight.shape} with {like.shape}")
    layer, arrays = layer_of(weight if sizes == weight.shape else weight.reshaped(sizes), sizes)
    return lowering.emit(layer, lowering.whole(like), shape=(like.shape[0], *sizes), **arrays)


def for_each_example(array: np.ndarray, x: Value) -> np.ndarray:
    """The part of an array that each example reads. Raises `PortError` if it is not the same for all."""
    if array.ndim == x.ndim and array.shape[0] > 1:
        if _varies(array):
            raise PortError(f"an array that is the same for each example, got one of shape {array.shape}")
        array = array[:1]
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return array


def _is_of_rows(lowering: WaitingLowering, known: Any, x: Value) -> bool:
    """Whether an array has other numbers in each row of a value without a batch, as of a variable."""
    if not isinstance(known, np.ndarray) or not known.ndim or known.ndim != x.ndim or known.shape[0] != x.shape[0]:
        return False
    return x.shape[0] % lowering.batch != 0 and _varies(known)


def _varies(array: np.ndarray) -> bool:
    """Whether the first axis makes a difference."""
    return bool((array != array[:1]).any())
