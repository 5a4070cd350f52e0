"""A custom call for a batch of any size: two traces compared, in which different numbers stand for the batch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.port.lowering.batch import SECOND, alike, batch_number, follows, other_operations, refuse_size
from compose.port.lowering.values import BATCH

A_LOOP = other_operations("keras.ops.vectorized_map")
_ARITHMETIC = ("Add", "Multiply", "Subtract", "Divide", "TrueDivide")  # whose rule knows a number of the batch
_SHAPED = ("Reshape", "BroadcastTo", "Slice", "Full", "Zeros", "Ones", "Tile", "Repeat")  # whose options are sizes


def follow_batch(model: Any, second: Any) -> None:
    """Mark in a functional model, by one traced with the second number, the arguments that follow from the batch.

    Raises `PortError` for what a network of any batch cannot say.
    """
    for depth in model._nodes_by_depth:
        pairs = zip(model._nodes_by_depth[depth], second._nodes_by_depth.get(depth, ()))
        for node, twin in pairs:
            op, other = node.operation, twin.operation
            if type(op) is not type(other):
                break
            strict = type(op).__name__ not in _SHAPED
            for a, b in zip(_numbers(vars(op)), _numbers(vars(other))):
                if a != b if strict else not follows(int(a), int(b), BATCH, SECOND):
                    raise refuse_size(f"an option of {type(op).__name__}")
            _mark(node, twin)
    if [len(nodes) for nodes in model._nodes_by_depth.values()] != [
        len(nodes) for nodes in second._nodes_by_depth.values()
    ]:
        raise PortError(A_LOOP)


def _mark(node: Any, twin: Any) -> None:
    kind = type(node.operation).__name__
    ours, theirs = (keras.tree.flatten((n.arguments.args, n.arguments.kwargs)) for n in (node, twin))
    made = [_argument(a, b, kind) for a, b in zip(ours, theirs)]
    if any(new is not old for new, old in zip(made, ours)):
        form = (node.arguments.args, node.arguments.kwargs)
        node.arguments.args, node.arguments.kwargs = keras.tree.pack_sequence_as(form, made)


def _argument(a: Any, b: Any, kind: str) -> Any:
    if isinstance(a, (keras.KerasTensor, keras.Variable)) or a is b:
        return a
    if isinstance(a, slice):
        ends = zip((a.start, a.stop, a.step), (b.start, b.stop, b.step))
        if all(p == q for p, q in ends):
            return a
        if a.start == b.start and a.step == b.step and (a.stop, b.stop) == (BATCH, SECOND):
            return slice(a.start, None, a.step)
        raise refuse_size("the ends of a slice")
    if not (isinstance(a, (int, float, np.ndarray, np.generic)) or keras.ops.is_tensor(a)):
        return a
    one, two = (np.asarray(keras.ops.convert_to_numpy(v)) for v in (a, b))
    same = alike(one, two)
    if same is not None:
        return a if one.shape == two.shape else same
    number = batch_number(one, two, BATCH, SECOND)
    if number is None or kind not in _ARITHMETIC:
        raise refuse_size(f"numbers for {kind}")
    return number


def _numbers(value: Any) -> list[int | float]:
    """The numbers in the options of an operation, in their order."""
    if isinstance(value, dict):
        return [n for key in sorted(k for k in value if not str(k).startswith("_")) for n in _numbers(value[key])]
    if isinstance(value, (tuple, list)):
        return [n for part in value for n in _numbers(part)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []
