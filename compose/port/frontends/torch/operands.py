"""Parameters, buffers and constants where a rule expects a value."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.positions import added
from compose.port.frontends.torch.records import Records
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.layout_lowering import LayoutLowering, laid_out
from compose.port.lowering.literals import single
from compose.port.lowering.values import Known, Pending, Value, Weight, identity_axes

_IDLE = {"add": 0, "multiply": 1}
_OF_ONE_NUMBER = {name: f"ops.{name}" for name in ("add", "subtract", "multiply", "divide")}  # of shapes that differ


class Operands(Records):
    """A lowering whose arithmetic broadcasts as PyTorch does.

    Attributes:
        node: the node that is being lowered.
        like: the value beside which a node that reads only parameters is lowered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.node: torch.fx.Node
        self.like: Value | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return sizes_of(self.node.meta["val"])

    @contextlib.contextmanager
    def at(self, node: torch.fx.Node, like: Value) -> Iterator[None]:
        """Lower another node in the `with` block, beside a value."""
        before = self.node, self.like
        self.node, self.like = node, like
        try:
            yield
        finally:
            self.node, self.like = before

    def number(self, x: Any) -> float | None:
        x = single(x)
        return x if isinstance(x, (int, float)) else None

    def pair(self, operation: str, a: Value, b: Value) -> Value:
        shape = self.shape
        if 0 in (a.ndim, b.ndim):
            return self.joined(_OF_ONE_NUMBER.get(operation, operation), a, b)
        if operation == "add" and a.ndim != b.ndim:
            a, b = (self._widened(v, len(shape)) for v in (a, b))
        if operation == "add" and a.shape != b.shape and any(map(self.stands_for_batch, shape[1:])):
            return self.joined("ops.add", a, b)
        if operation == "add" and a.shape != b.shape:  # `residual` needs equal shapes
            a = self.whole(a)
            a, b = (self._spread(v, shape) for v in (a, self.moved(b, a.axes)))
        return self.joined(operation, a, b)

    def from_left(self, operation: str, known: Known, x: Value) -> Value:
        if self.number(known) is None:
            return self.pair(operation, as_value(self, known, x), x)
        return super().from_left(operation, known, x)

    def with_inverse(self, operation: str, x: Value, known: Known) -> Value:
        return self.pair(operation, x, as_value(self, known, x))

    def with_known(self, operation: str, x: Value, known: Any) -> Value:
        if not self.node.meta["val"].is_floating_point():  # whole numbers stay so, as places have to
            return self.pair(operation, x, plain(self, known, x))
        if isinstance(known, np.ndarray) and self.shape == x.shape and (known == _IDLE.get(operation)).all():
            return x
        if operation == "add" and (made := added(self, x, known)) is not None:
            return made
        if operation in ("add", "multiply") and x.ndim and len(known.shape) <= x.ndim and self.shape == x.shape:
            return with_array(self, operation, x, known)
        return self.pair(operation, x, as_value(self, known, x))

    def _widened(self, x: Value, rank: int) -> Value:
        """The value with leading axes of length 1, up to this rank."""
        if x.ndim == rank:
            return x
        x, missing = self.as_source(x), rank - x.ndim
        layer = word("ops.expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
        return self.emit(layer, x, shape=(1,) * missing + x.shape, axes=identity_axes(rank))

    def _spread(self, x: Value, shape: tuple[int, ...]) -> Value:
        """The value broadcast to `shape`, except along the batch."""
        ours = tuple(shape[a] for a in x.axes[1:])
        if x.ours[1:] == ours or x.axes[0] != 0 or x.shape[0] not in (1, shape[0]):
            return x
        sizes, self.sized = (-1 if n == m != 1 else m for n, m in zip(x.ours[1:], ours)), True
        return self.emit(word("broadcast_to")(*sizes), x, shape=(x.shape[0], *shape[1:]))


def as_value(lowering: LayoutLowering, known: Any, like: Value) -> Value:
    """A parameter or a constant as a value that broadcasts against `like`, in the same layout.

    One that is not the same for each example is a value without a batch, in the source's layout.
    """
    if isinstance(known, Value):
        return known
    shape = (1,) * (like.ndim - len(known.shape)) + tuple(known.shape)
    if not like.ndim or len(shape) > like.ndim or shape[0] != 1:
        return alone(lowering, known, like)
    like = lowering.whole(like)
    if like.axes[0] != 0:
        like = lowering.as_source(like)
    ours = tuple(shape[a] for a in like.axes[1:])
    view = laid_out(known, shape[1:], tuple(a - 1 for a in like.axes[1:]), ours)
    layer, arrays = layer_of(view, ours)
    return lowering.emit(layer, like, shape=(like.shape[0], *shape[1:]), axes=like.axes, **arrays)


def with_array(lowering: LayoutLowering, operation: str, x: Value, known: Any) -> Value:
    """`"add"` or `"multiply"` of a value and a parameter or constant that broadcasts to it."""
    rank = len(known.shape)
    if rank > x.ndim or any(n not in (1, m) for n, m in zip(known.shape[::-1], x.shape[::-1])):
        raise PortError(f"an array that broadcasts to {x.shape}, got {tuple(known.shape)}")
    return lowering.learned_along(operation, x, known)


def alone(lowering: LayoutLowering, given: Any, like: Value) -> Value:
    """A parameter or a constant as a value without a batch."""
    shape, axes = tuple(given.shape), identity_axes(len(given.shape))
    layer, arrays = layer_of(given, shape, batch=False)
    return lowering.emit(layer, like, shape=shape, axes=axes, **arrays)


def plain(low: Any, x: Any, like: Value) -> Value:
    """What a layer may read: a parameter, a constant or a number becomes a value of its own, beside another."""
    if isinstance(x, Pending):
        x = x.value()
    if isinstance(x, Value):
        return low.as_source(x)
    if any(is_complex(n) for n in low.node.all_input_nodes):  # a parameter has the dtype of what it stands beside
        like = low.emit(word("ops.real"), like, shape=like.shape)
    if isinstance(x, Weight) and x.trained:
        return alone(low, x, like)
    array = np.asarray(x.array if isinstance(x, Weight) else x)
    if array.dtype.kind == "f":
        return alone(low, x if isinstance(x, Weight) else array, like)
    if array.dtype.kind == "c":
        halves = (alone(low, half.astype(np.float64), like) for half in (np.real(array), np.imag(array)))
        return low.emit(word("ops.complex"), *halves, shape=array.shape, axes=identity_axes(array.ndim))
    return alone(low, array, like)


def is_complex(node: torch.fx.Node) -> bool:
    """Whether the value of a node is of complex numbers."""
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_complex()
