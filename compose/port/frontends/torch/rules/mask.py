"""Masks of attention: torch's are numbers to add, or True for what is hidden; ours True for what may be attended to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import as_value
from compose.port.lowering.values import Pending, Value, Weight, identity_axes


@dataclass(frozen=True)
class Hidden(Pending):
    """Zeros, and minus infinity where a boolean value is true: added to scores, it hides what is there."""

    by: Value

    def value(self) -> Any:
        return self  # attention alone knows what it means


READ_MASKS = ("to", "expand", "__and__", "bitwise_and", "logical_and", "scaled_dot_product_attention")


@dataclass(frozen=True)
class Allowed(Pending):
    """Where a constant and a boolean value are both true; for attention, the constant may be `causal=True`."""

    low: Any
    known: np.ndarray
    by: Value
    shape: tuple[int, ...]

    def value(self) -> Value:
        made = self.by
        if not self.known.all():
            known = as_value(self.low, self.known, made)
            shape = np.broadcast_shapes(known.shape, made.shape)
            made = self.low.emit(word("logical_and"), made, known, shape=shape)
        if made.shape == self.shape:
            return made
        made = self.low.as_source(made)
        return self.low.emit(word("broadcast_to")(*self.shape[1:]), made, shape=self.shape)


def fixed(mask: Any) -> np.ndarray | None:
    """A mask that depends on no data, as an array; None for any other."""
    if isinstance(mask, Weight):
        mask = None if mask.trained else mask.array
    return mask if isinstance(mask, np.ndarray) else None


def added(mask: np.ndarray, hides: bool) -> np.ndarray:
    """What a mask adds to scores; `hides` says that True hides, as in `nn.MultiheadAttention`."""
    made = np.where(mask if hides else ~mask, -np.inf, 0.0) if mask.dtype == bool else mask
    if np.isneginf(made).all(-1).any():
        raise PortError("a mask that lets every query attend to something")
    return made


def is_causal(addition: np.ndarray | None) -> bool:
    """Whether what is added hides just what comes later."""
    if addition is None:
        return False
    flat = addition.reshape(-1, *addition.shape[-2:])
    later = np.triu(np.ones(flat.shape[1:], bool), 1)
    return len(flat) == 1 and np.array_equal(np.where(later, -np.inf, 0), flat[0])


def boolean(node: Any) -> bool:
    """Whether a node of the graph makes a boolean tensor."""
    return node.meta["val"].dtype is torch.bool


def four_axes(low: Any, mask: Value) -> Value:
    """A boolean mask as `(batch, heads, queries, keys)`, of the last of which it has some."""
    mask = low.as_source(mask)
    missing = 4 - mask.ndim
    if not missing:
        return mask
    layer = word("expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
    return low.emit(layer, mask, shape=(1,) * missing + mask.shape, axes=identity_axes(4))


def shown(low: Any, hidden: Value, heads: int, of_keys: bool) -> Value:
    """A mask of `nn.MultiheadAttention` from data as ours: `(batch, keys)`, or with heads and queries."""
    mask = low.emit(word("logical_not"), low.as_source(hidden), shape=hidden.shape)
    if of_keys:
        return mask
    if mask.ndim == 3:  # (batch · heads, queries, keys)
        apart = word("reshape")(-1, heads, *mask.shape[1:], batch=False)
        return low.emit(apart, mask, shape=(mask.shape[0] // heads, heads, *mask.shape[1:]), axes=identity_axes(4))
    return four_axes(low, mask)


def both(low: Any, of_keys: Value, other: Value) -> Value:
    """What a mask of keys and one of four axes allow together."""
    batch, keys = of_keys.shape
    wide = low.emit(word("expand_dims")(axis=(1, 2)), of_keys, shape=(batch, 1, 1, keys), axes=identity_axes(4))
    return low.emit(word("logical_and"), wide, other, shape=(batch, *other.shape[1:]), axes=identity_axes(4))
