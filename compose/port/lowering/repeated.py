"""What is the same for each example: a weight, or a value computed of weights, repeated where it meets the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.ir.graph import Op
from compose.port.ir.weights import Constant
from compose.port.lowering.base import V
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.values import BATCH

_IN_FRONT: Any = word("ops.expand_dims")(axis=0)


class Repeating(Arithmetic[V]):
    """A lowering that repeats what has no batch.

    Attributes:
        batch: the size that stands for the batch.
        loose: the results of layers that read another value for the size of the batch alone, and that nothing reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch = BATCH
        self.loose: set[int] = set()

    def has_batch(self, x: V) -> bool:
        """Whether the first axis of a value is the batch."""
        raise NotImplementedError

    def batched(self) -> V:
        """A value with the batch, to read its size."""
        raise NotImplementedError

    def repeated(self, layer: Any, **given: Any) -> V:
        """The result of a layer such as `parameter(3, 4)`, which is the same for each example."""
        made = self.emit(layer, self.batched(), **given)
        self.loose.add(made.index)
        return made

    def for_each(self, x: V, sizes: tuple[int, ...], **layout: Any) -> V:
        """A value without a batch, which has these sizes but for axes of length 1 in front, once for each example."""
        once, given = (1, *sizes), x
        if tuple(x.shape) != once:
            added = tuple(x.shape) == sizes
            layer = _IN_FRONT if added else word("reshape")(*once, batch=False)
            x = self.emit(layer, x, shape=once)
        made = self.emit(word("expand_batch"), x, self.batched(), **layout)
        self.loose |= {made.index} if x is given else {made.index, x.index}
        return made

    def whole(self, x: V) -> V:
        """A value in the source's shape."""
        return x

    def widened(self, x: V, known: Any) -> V:
        sizes = tuple(getattr(known, "shape", ()))
        beside = (1,) * (x.ndim - len(sizes)) + sizes
        wide = tuple(m if n == 1 else n for n, m in zip(x.shape, beside))
        if len(sizes) > x.ndim or wide == tuple(x.shape):
            return x
        if self.has_batch(x):
            rest = (-1 if n == m else m for n, m in zip(x.shape[1:], wide[1:]))
            return self.emit(word("broadcast_to")(*rest), self.whole(x), shape=wide)
        if wide[0] == self.batch:
            return x
        return self.emit(word("ops.broadcast_to")(shape=wide), self.whole(x), shape=wide)

    def with_batch(self, a: Any, b: Any) -> tuple[Any, Any]:
        after = tuple(self.shape)
        rows = lambda c: isinstance(c, np.ndarray) and c.ndim == len(after) > 0 and c.shape[0] == after[0] == self.batch
        return (self._beside_rows(a, after), self._beside_rows(b, after)) if rows(a) or rows(b) else (a, b)

    def _beside_rows(self, x: Any, after: tuple[int, ...]) -> Any:
        """An operand beside a constant with the batch."""
        own = aligned(x, after)
        if isinstance(x, np.ndarray) or own[:1] != (1,):
            return x
        return self.for_each(x, own[1:], shape=(after[0], *own[1:]))

    def before_repeat(self, x: V) -> V | None:
        """The value of which one is a repetition; None for any other."""
        op = self.producer(x)
        if op is None or op.layer != word("expand_batch"):
            return None
        once = x.but(index=op.inputs[0], shape=(1, *x.shape[1:]))
        front = self.producer(once)
        if front is None or front.layer != _IN_FRONT:
            return once
        return x.but(index=front.inputs[0], shape=x.shape[1:])  # arithmetic adds the axis too

    def unrepeated(self, a: V, b: V) -> tuple[V, V]:
        """Two operands, of which one is taken before it was repeated, if arithmetic with the other repeats it too."""
        for x, other in ((a, b), (b, a)):
            before = self.before_repeat(x)
            if before is not None and tuple(other.shape) == tuple(self.shape) and self.has_batch(other):
                return (before, b) if x is a else (a, before)
        return a, b

    def emit(self, layer: Any, *inputs: V, **given: Any) -> V:
        """As `Lowering.emit`. What is repeated reads the batch of the value beside it, not of an input far away."""
        loose = [x for x in inputs if self.is_value(x) and x.index in self.loose]
        if loose:
            here = [x for x in inputs if self.is_value(x) and x.index not in self.loose and self.has_batch(x)]
            for x in loose if here else ():
                self._read_at(x, here[0])
            self.loose -= {x.index for x in loose}
        return super().emit(layer, *inputs, **given)

    def _read_at(self, x: V, like: V) -> None:
        """Let the layer that repeats a value read the batch of another one, which may come after it."""
        op = self.producer(x)
        if op is not None and not any(x.index in other.inputs for other in self.ops):
            self.drop(op)
            self.ops.append(replace(op, inputs=(*op.inputs[:-1], like.index)))

    def settle(self, outputs: Iterable[int]) -> None:
        """What is known of repetitions when all is read: some are read by nothing, as where a sum has become a bias,
        and some repeat a weight that nothing else reads, which `parameter` does by itself.
        """
        outputs = [*outputs]
        gone = True
        while gone:
            gone = self.loose.difference(outputs, (v for op in self.ops for v in op.inputs))
            self.loose -= gone
            self.ops = [op for op in self.ops if op.output not in gone]
        reads = Counter([*outputs, *(v for op in self.ops for v in op.inputs)])
        for op in [op for op in self.ops if op.layer == word("expand_batch")]:
            self._repeat_directly(op, lambda v: self._made_for_one(v, reads))

    def _made_for_one(self, v: int, reads: Counter[int]) -> Op | None:
        return next((op for op in self.ops if op.output == v and reads[v] == 1), None)

    def _repeat_directly(self, op: Op, made: Callable[[int], Op | None]) -> None:
        """Let a weight that is read to be repeated be read once for each example."""
        source = made(op.inputs[0])
        between = source if source is not None and source.layer == _IN_FRONT else None
        source = made(between.inputs[0]) if between is not None else source
        frozen: Any = word("frozen")
        layer: Any = None if source is None else source.layer
        inner = layer.inner if isinstance(layer, frozen) else layer
        if source is None or not isinstance(inner, word("parameter")) or inner.batch:
            return
        sizes = inner.shape if between is not None else inner.shape[1:]
        made_once: Any = word("parameter")(*sizes)
        view: Any = source.weights["value"]
        view = Constant(array=view.array.reshape(sizes)) if isinstance(view, Constant) else replace(view, shape=sizes)
        self.replace_op(
            op,
            layer=frozen(made_once) if layer is not inner else made_once,
            inputs=op.inputs[1:],
            weights={"value": view},
        )
        for old in (between, source):
            if old is not None:
                self.drop(old)


def aligned(x: Any, after: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an array, with axes of length 1 in front, so that it has as many as `after`."""
    return (1,) * (len(after) - len(x.shape)) + tuple(x.shape)
