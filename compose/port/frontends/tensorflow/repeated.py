"""What TensorFlow repeats for each example: variables, and values computed of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.frontends.tensorflow.waiting import WaitingLowering
from compose.port.lowering.base import Op


def for_each_in(low: WaitingLowering, x: Value | Weight, after: tuple[int, ...]) -> bool:
    """Whether `after` has a batch that `x` has not."""
    return any(n % low.batch == 0 != m % low.batch for n, m in zip(after, _own(x, after)) if n)


def for_each(low: WaitingLowering, x: Value | Weight, after: tuple[int, ...], wider: Callable[..., Any]) -> Value:
    """A value without a batch, repeated for each example to the shape `after`.

    Args:
        wider: the layer that makes the other axes longer, given their new lengths.

    Raises `PortError` where the batch is no axis of its own, behind axes of length 1 alone.
    """
    own, place = _own(x, after), next(i for i, n in enumerate(after) if n and n % low.batch == 0)
    if after[place] != low.batch or own[place] != 1 or any(n != 1 for n in after[:place]):
        raise PortError(
            f"what is the same for each example repeated along a new first axis, got one of shape {x.shape} repeated "
            f"along axis {place}; give it an axis of length 1 in front, as in tf.tile(x[None], [n, 1, 1])"
        )
    sizes, rest = own[place + 1 :], after[place + 1 :]
    shape = (low.batch, *sizes)
    if isinstance(x, Weight):
        made = low.parameter(x if x.shape == sizes else x.reshaped(sizes), sizes, shape=shape)
    else:
        made = low.expanded(low.whole(x), sizes, shape=shape)
    if sizes != rest:
        made = low.emit(wider(*rest), made, shape=(low.batch, *rest))
    return made.but(shape=after)


def own_parameter(low: WaitingLowering, x: Any) -> Weight | None:
    """The weight that a value repeats for each example, which nothing else has read; None for any other."""
    op: Op | None = low.producer(x) if isinstance(x, Value) and x.index in low.loose else None
    if op is None or not isinstance(op.layer, word("parameter")):
        return None
    layer: Any = op.layer
    return Weight(op.weights["value"], layer.shape)  # pyright: ignore[reportArgumentType]


def token_before(low: WaitingLowering, values: list[Any]) -> Weight | None:
    """The learned tokens in front of a sequence, where two values are joined."""
    if len(values) != 2 or not isinstance(values[1], Value):
        return None
    token = own_parameter(low, values[0])
    return None if token is None else token.reshaped((1, *token.shape))


def with_batch(low: WaitingLowering, a: Any, b: Any, after: tuple[int, ...]) -> tuple[Any, Any]:
    """Two operands; beside a constant with the batch, a variable or a value without it is repeated for each example."""
    for_rows = lambda c: isinstance(c, np.ndarray) and c.ndim == len(after) > 0 and c.shape[0] == after[0] == low.batch
    if not (for_rows(a) or for_rows(b)):
        return a, b
    lacks = lambda x: isinstance(x, (Value, Weight)) and _own(x, after)[0] == 1
    wide = lambda x: for_each(low, x, (after[0], *_own(x, after)[1:]), word("broadcast_to"))
    return tuple(wide(x) if lacks(x) else x for x in (a, b))  # pyright: ignore[reportReturnType]


def _own(x: Value | Weight, after: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with as many axes as `after` has."""
    return (1,) * (len(after) - len(x.shape)) + tuple(x.shape)
