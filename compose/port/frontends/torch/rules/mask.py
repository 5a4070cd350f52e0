"""Comparisons, choices and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import as_value, with_array
from compose.port.frontends.torch.plain import each, emitted, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import Pending, Value, Weight, identity_axes


@dataclass(frozen=True)
class Hidden(Pending):
    """An additive mask: minus infinity where a boolean value is true, else zero. Whole attention reads the boolean."""

    low: Any
    by: Value
    shape: tuple[int, ...]

    def value(self) -> Value:
        return emitted(self.low, word("ops.where"), self.by, -np.inf, 0.0, shape=self.shape)


READ_MASKS = ("to", "expand", "__and__", "bitwise_and", "logical_and", "scaled_dot_product_attention")


@dataclass(frozen=True)
class Allowed(Pending):
    """The conjunction of a constant and a boolean value; for attention, the constant may be `causal=True`."""

    low: Any
    known: np.ndarray
    by: Value
    shape: tuple[int, ...]

    def value(self) -> Value:
        made = self.by
        if not self.known.all():
            known = as_value(self.low, self.known, made)
            shape = np.broadcast_shapes(known.shape, made.shape)
            made = self.low.emit(word("ops.logical_and"), made, known, shape=shape)
        if made.shape == self.shape:
            return made
        made = self.low.as_source(made)
        return self.low.emit(word("broadcast_to")(*self.shape[1:]), made, shape=self.shape)


def fixed(mask: Any) -> np.ndarray | None:
    """A constant mask as an array; None for a mask that depends on data."""
    if isinstance(mask, Weight):
        mask = None if mask.trained else mask.array
    return mask if isinstance(mask, np.ndarray) else None


def added(mask: np.ndarray, hides: bool) -> np.ndarray:
    """The additive form of a mask; with `hides`, True hides, as in `nn.MultiheadAttention`."""
    made = np.where(mask if hides else ~mask, -np.inf, 0.0) if mask.dtype == bool else mask
    if np.isneginf(made).all(-1).any():
        raise PortError("a mask that lets every query attend to something")
    return made


def is_causal(addition: np.ndarray | None) -> bool:
    """Whether an additive mask is the causal one."""
    if addition is None:
        return False
    flat = addition.reshape(-1, *addition.shape[-2:])
    later = np.triu(np.ones(flat.shape[1:], bool), 1)
    return len(flat) == 1 and np.array_equal(np.where(later, -np.inf, 0), flat[0])


def boolean(node: Any) -> bool:
    """Whether a node of the graph makes a boolean tensor."""
    return node.meta["val"].dtype is torch.bool


def four_axes(low: Any, mask: Value) -> Value:
    """A boolean mask reshaped to `(batch, heads, queries, keys)`."""
    mask = low.as_source(mask)
    missing = 4 - mask.ndim
    if not missing:
        return mask
    layer = word("ops.expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
    return low.emit(layer, mask, shape=(1,) * missing + mask.shape, axes=identity_axes(4))


def shown(low: Any, hidden: Value, heads: int, of_keys: bool) -> Value:
    """A mask of `nn.MultiheadAttention` that depends on data, inverted: `(batch, keys)`, or with heads and queries."""
    mask = low.emit(word("ops.logical_not"), low.as_source(hidden), shape=hidden.shape)
    if of_keys:
        return mask
    if mask.ndim == 3:  # (batch · heads, queries, keys)
        apart = word("reshape")(-1, heads, *mask.shape[1:], batch=False)
        return low.emit(apart, mask, shape=(mask.shape[0] // heads, heads, *mask.shape[1:]), axes=identity_axes(4))
    return four_axes(low, mask)


def both(low: Any, of_keys: Value, other: Value) -> Value:
    """The conjunction of a mask of keys and one of four axes."""
    batch, keys = of_keys.shape
    wide = low.emit(word("ops.expand_dims")(axis=(1, 2)), of_keys, shape=(batch, 1, 1, keys), axes=identity_axes(4))
    return low.emit(word("ops.logical_and"), wide, other, shape=(batch, *other.shape[1:]), axes=identity_axes(4))


_COMPARED = {
    "eq": "equal", "ne": "not_equal", "gt": "greater", "le": "less_equal", "lt": "less",
    "ge": "greater_equal",
}  # fmt: skip


@rules(*(f"aten.{name}" for name in _COMPARED))
def _compare(low, node, a, b):
    name = "ops." + _COMPARED[str(node.target).split(".")[1]]
    return low.emit(word(name)(y=b), low.whole(a)) if isinstance(b, (int, float)) else each(low, name, a, b)


@rules("aten.logical_not", "aten.bitwise_not")
def _not(low, node, x):
    return low.emit(word("ops.logical_not" if boolean(node) else "ops.bitwise_invert"), low.whole(x))


@rules("aten.logical_and", "aten.bitwise_and", "aten.__and__")
def _and(low, node, a, b):
    if not boolean(node):  # of whole numbers, bit by bit
        return each(low, "ops.bitwise_and", a, b)
    a, b = (np.asarray(v != 0) if isinstance(v, (bool, int, float)) else v for v in (a, b))
    known, other = (a, b) if isinstance(a, np.ndarray) else (b, a)
    if not isinstance(known, np.ndarray):
        return low.emit(
            word("ops.logical_and"), *_alike(low, *(v.value() if isinstance(v, Pending) else v for v in (a, b)))
        )
    if isinstance(other, Allowed):
        known, other = known & other.known, other.by
    return Allowed(low, known, other, low.shape)


@rules("aten.logical_or", "aten.bitwise_or", "aten.__or__")
def _or(low, node, a, b):
    if not boolean(node):
        return each(low, "ops.bitwise_or", a, b)
    return low.emit(word("ops.logical_or"), *_alike(low, a, b))


@rules("aten.where", "prims.where")
def where(low, node, condition, a, b):
    """`a` where the condition is true, else `b`. A number is an option of the layer."""
    layer, given = word("ops.where"), (condition, a, b)
    if isinstance(condition, Value) and isinstance(a, (int, float)) and isinstance(b, Value):
        given = (low.emit(word("ops.logical_not"), condition, shape=condition.shape, axes=condition.axes), b)
        layer = layer(y=a)
    elif isinstance(b, (int, float)) and isinstance(a, Value):
        layer, given = layer(y=b), (condition, a)
    like = next((v for v in given if isinstance(v, Value) and v.ndim == len(low.shape)), None)
    if like is None or not node.meta["val"].is_floating_point() or not all(_of_each(v, len(low.shape)) for v in given):
        return emitted(low, layer, *given)
    arrays = [np.full((1,) * like.ndim, v, float) if isinstance(v, (int, float)) else v for v in given]
    return low.emit(layer, *(low.moved(as_value(low, v, like), low.whole(like).axes) for v in arrays))


@rule("aten._safe_softmax")
def _safe_softmax(low, node, x, axis, dtype=None):
    """Softmax, and zeros where all are minus infinity."""
    (x,) = plains(low, (x,))
    axis = axis % max(x.ndim, 1)
    one = tuple(1 if a == axis else n for a, n in enumerate(x.shape))
    hidden = emitted(low, word("ops.equal")(y=-float("inf")), x)
    none = emitted(low, word("ops.all")(axis=axis, keepdims=True), hidden, shape=one)
    made = emitted(low, word("softmax")(axis=axis), emitted(low, word("ops.where"), none, 0.0, x))
    return emitted(low, word("ops.where"), none, 0.0, made)


def _of_each(x: Any, rank: int) -> bool:
    """Whether a value has so many axes, and a constant is the same for each example."""
    if isinstance(x, Value):
        return x.ndim == rank
    return isinstance(x, (int, float)) or len(x.shape) < rank or (rank > 0 and x.shape[0] == 1)


def _alike(low, a: Any, b: Any) -> tuple[Value, Value]:
    like = a if isinstance(a, Value) else b
    a, b = (as_value(low, v, like) for v in (a, b))
    a = low.whole(a)
    if a.ndim != b.ndim:
        return low.as_source(a), low.as_source(b)
    return a, low.moved(b, a.axes)


@rule("aten.masked_fill")
def _masked_fill(low, node, x, mask, value):
    value = float(value)
    if isinstance(mask, Value):
        hides = isinstance(x, np.ndarray) and not x.any() and value == -np.inf
        return Hidden(low, mask, low.shape) if hides else where(low, node, mask, value, x)
    hidden = np.asarray(mask.array if isinstance(mask, Weight) else mask)
    if value != -np.inf:  # to which a softmax gives no gradient
        x = with_array(low, "multiply", x, np.where(hidden, 0.0, 1.0))
    return with_array(low, "add", x, np.where(hidden, value, 0.0))
