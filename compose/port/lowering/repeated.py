"""What is the same for each example: a weight, or a value computed of weights, repeated where it meets the batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from compose.core.registry import word
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.base import V


class Repeating(Arithmetic[V]):
    """A lowering that repeats values without a batch.

    Attributes:
        loose: the results of layers that read another value for the size of the batch alone, and that nothing reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loose: set[int] = set()

    def has_batch(self, x: V) -> bool:
        """Whether the first axis of a value is the batch."""
        raise NotImplementedError

    def batched(self) -> V:
        """A value with the batch, to read its size."""
        raise NotImplementedError

    def parameter(self, weight: Any, sizes: tuple[int, ...], **layout: Any) -> V:
        """A weight of these sizes, once for each example."""
        made = self.emit(word("parameter")(*sizes), self.batched(), weights={"value": weight}, **layout)
        self.loose.add(made.index)
        return made

    def expanded(self, x: V, sizes: tuple[int, ...], **layout: Any) -> V:
        """A value without a batch, which has these sizes but for axes of length 1 in front, once for each example."""
        once = (1, *sizes)
        if tuple(x.shape) != once:
            added = tuple(x.shape) == sizes
            layer = word("ops.expand_dims")(axis=0) if added else word("reshape")(*once, batch=False)
            x = self.emit(layer, x, shape=once)
        made = self.emit(word("expand_batch"), x, self.batched(), **layout)
        self.loose.add(made.index)
        return made

    def before_repeat(self, x: V) -> V | None:
        """The value of which one is a repetition; None for any other."""
        op = self.producer(x)
        if op is None or op.layer != word("expand_batch"):
            return None
        return x.but(index=op.inputs[0], shape=(1, *x.shape[1:]))

    def emit(self, layer: Any, *inputs: V, **given: Any) -> V:
        """As `Lowering.emit`. What is repeated reads the batch of the value beside it, which may be far from inputs."""
        indices = [x.index for x in inputs if self.is_value(x)]
        loose = self.loose.intersection(indices)
        if loose:
            beside = [x for x in inputs if self.is_value(x) and x.index not in loose and self.has_batch(x)]
            for x in inputs if beside else ():
                op = self.producer(x) if x.index in loose else None
                if op is not None:
                    self.drop(op)
                    self.ops.append(replace(op, inputs=(*op.inputs[:-1], beside[0].index)))
            self.loose -= loose
        return super().emit(layer, *inputs, **given)

    def without_loose(self, outputs: Iterable[int]) -> None:
        """Take out the layers that repeat what nothing reads in the end, as where a sum has become a bias."""
        gone = self.loose.difference(outputs)
        self.ops = [op for op in self.ops if op.output not in gone]
