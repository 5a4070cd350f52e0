"""What TensorFlow repeats for each example: variables, and values computed of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.frontends.tensorflow.waiting import WaitingLowering
from compose.port.lowering.repeated import aligned


class RepeatingVariables(WaitingLowering):
    """A lowering that repeats variables by layers of their own."""

    def for_each(self, x: Value | Weight, sizes: tuple[int, ...], **layout: Any) -> Value:
        if not isinstance(x, Weight):
            return super().for_each(self.whole(x), sizes, **layout)
        weight = x if x.shape == sizes else x.reshaped(sizes)
        return self.repeated(word("parameter")(*sizes), weights={"value": weight}, **layout)

    def before_repeat(self, x: Value) -> Value | None:
        before = super().before_repeat(x)
        return None if before is None else before.but(ours=before.shape)

    def own_parameter(self, x: Any) -> Weight | None:
        """The weight that a value repeats for each example, which nothing else has read; None for any other."""
        op = self.producer(x) if isinstance(x, Value) and x.index in self.loose else None
        layer: Any = None if op is None else op.layer
        if op is None or not isinstance(layer, word("parameter")):
            return None
        return Weight(op.weights["value"], layer.shape)  # pyright: ignore[reportArgumentType]

    def token_before(self, values: list[Any]) -> Weight | None:
        """The learned tokens in front of a sequence, where two values are joined."""
        token = self.own_parameter(values[0]) if len(values) == 2 and isinstance(values[1], Value) else None
        return None if token is None else token.reshaped((1, *token.shape))


def gains_batch(low: RepeatingVariables, x: Value | Weight, after: tuple[int, ...]) -> bool:
    """Whether `after` has a batch that `x` has not. For a graph of one size, other axes may be as long as the batch."""
    if low.facts.batch is None:
        return after[:1] == (low.batch,) and aligned(x, after)[0] == 1 != low.batch
    return any(_is_batch(low, n) and not _is_batch(low, m) for n, m in zip(after, aligned(x, after)))


def repeated_to(low: RepeatingVariables, x: Value | Weight, after: tuple[int, ...], wider: Callable[..., Any]) -> Value:
    """What has no batch, repeated for each example to the shape `after`.

    Args:
        wider: the layer that makes the other axes longer, given their new lengths.

    Raises `PortError` where the batch is no axis of its own, behind axes of length 1 alone.
    """
    own, place = aligned(x, after), next(i for i, n in enumerate(after) if _is_batch(low, n))
    if after[place] != low.batch or own[place] != 1 or any(n != 1 for n in after[:place]):
        raise PortError(
            f"what is the same for each example repeated along a new first axis, got one of shape {x.shape} repeated "
            f"along axis {place}; give it an axis of length 1 in front, as in tf.tile(x[None], [n, 1, 1])"
        )
    sizes, rest = own[place + 1 :], after[place + 1 :]
    made = low.for_each(x, sizes, shape=(low.batch, *sizes))
    if sizes != rest:
        made = low.emit(wider(*rest), made, shape=(low.batch, *rest))
    return made.but(shape=after)


def _is_batch(low: RepeatingVariables, n: int) -> bool:
    return n != 0 and n % low.batch == 0
