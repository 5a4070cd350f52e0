"""Divisions by a number: products with its reciprocal, except before a step, where the last digit decides."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.function import Function
from compose.core.registry import word
from compose.port.ir.graph import Op
from compose.port.ir.weights import Constant

_NUMBER: Any = word("frozen")(word("parameter")(batch=False))
_STEPS = frozenset({
    "floor", "ceil", "round", "rint", "trunc", "floor_divide", "remainder", "fmod", "greater", "greater_equal", "less",
    "less_equal", "equal", "not_equal", "sign", "heaviside", "bucketize", "searchsorted", "astype",
})  # fmt: skip
_THROUGH = frozenset({
    "add", "add_constant", "subtract", "scale", "reshape", "permute", "expand_dims", "squeeze", "flatten", "at", "clip",
})  # fmt: skip


def with_products(ops: Sequence[Op]) -> list[Op]:
    """The operations with `x / 3` as `x * (1 / 3)`. Before a rounding `3 / 3` has to be one, which that may not be.

    XLA makes that product of a division by a literal, too; there the number is an array.
    """
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in ops:
        for v in op.inputs:
            readers[v].append(op)
    free = itertools.count(1 + max((v for op in ops for v in (op.output, *op.inputs)), default=0))
    made: list[Op] = []
    for op in ops:
        by = _divisor(op)
        if by is None:
            made.append(op)
        elif not _steps(op, readers):
            made.append(replace(op, layer=word("scale")(by=1 / by)))
        else:
            number = Op(
                _NUMBER, op.inputs, next(free), {"value": Constant(array=np.asarray(by))}, {}, op.path, op.classes
            )
            made += [number, replace(op, layer=word("ops.divide"), inputs=(*op.inputs, number.output))]
    return made


def _divisor(op: Op) -> float | None:
    """The number that an operation divides by."""
    if not isinstance(op.layer, Function) or op.layer.kind != "divide" or len(op.inputs) != 1:
        return None
    options = dict(op.layer.options)
    by = options.get("x2")
    plain = isinstance(by, (int, float)) and len(options) == 1 and by and math.isfinite(by)
    return float(by) if plain else None  # pyright: ignore[reportArgumentType]


def _steps(op: Op, readers: dict[int, list[Op]]) -> bool:
    """Whether a rounding or a comparison reads a value, perhaps after sums and moves."""
    waiting, seen = [op], set()
    while waiting:
        for reader in readers[waiting.pop().output]:
            if reader.layer.kind in _STEPS:
                return True
            if reader.layer.kind in _THROUGH and reader.output not in seen:
                seen.add(reader.output)
                waiting.append(reader)
    return False
