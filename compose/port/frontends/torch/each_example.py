"""What is held or computed once for all examples, repeated for each as the exported graph says it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.constants import without_batch
from compose.port.frontends.torch.operands import plain
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.each_example import for_each, has_batch, rows_for_each
from compose.port.lowering.values import BATCH, Value, Weight


def spread(low: Any, x: Any, source: Any) -> Any:
    """A value, a parameter or a constant with all its rows, of which one is kept where they are alike.

    Args:
        source: the node that gives it.
    """
    if not isinstance(x, (np.ndarray, Weight, Value)) or not isinstance(source, torch.fx.Node):
        return x
    shape = sizes_of(source.meta["val"])
    return x if tuple(x.shape) == shape else spread_to(low, x, shape)


def whole(low: Any, x: Any, source: Any) -> Any:
    """As `spread`, for what leaves the graph: a value only where it has yet to be repeated for each example."""
    made = source.meta.get("val") if isinstance(source, torch.fx.Node) else None
    repeats = isinstance(made, torch.Tensor) and has_batch(sizes_of(made))
    return spread(low, x, source) if isinstance(x, Weight) or (isinstance(x, Value) and repeats) else x


def spread_to(low: Any, x: Any, shape: tuple[int, ...]) -> Value:
    """A value, a parameter or a constant that broadcasts to `shape`, as a value of that shape."""
    low.sized, like = True, _first(low)
    if isinstance(x, Derived):
        x = x.beside(like)
        if x.shape == shape:  # its rows were made with it
            return x
    if not has_batch(shape):
        return emitted(low, word("ops.broadcast_to")(shape=shape), plain(low, x, like), shape=shape)
    return for_each(low, x, shape, like)


def as_rows(low: Any, x: Any, times: tuple[int, ...], after: tuple[int, ...]) -> Value:
    """Several rows, such as a table of distances, repeated so many times for each example."""
    low.sized = True
    return rows_for_each(low, x, times, after, _first(low))


def _first(low: Any) -> Value:
    """An input with axes, of which the first is the batch if an input has one."""
    given = [v for v in low.inputs if v.ndim]
    if not given:
        raise PortError("an input with axes")
    return next((v for v in given if v.shape[0] == BATCH), given[0])


def constant(low: Any, x: Any) -> Value:
    """A result that does not depend on the input, as a value."""
    known, low.sized = without_batch(x), True
    return plain(low, known, low.inputs[0]) if known.shape == x.shape else spread_to(low, known, x.shape)


def of_batch(low: Any, x: Any) -> Any:
    """A constant that has rows for each example, the same for all, as a value; anything else as it is."""
    if not isinstance(x, np.ndarray) or not x.ndim or not len(x) or len(x) % BATCH:
        return x
    parts = x.reshape(BATCH, len(x) // BATCH, *x.shape[1:])
    if (parts != parts[:1]).any():
        return x
    return low.reshaped(spread_to(low, parts[:1], parts.shape), x.shape, BATCH, flattens=False)
