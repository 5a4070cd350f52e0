"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.jax.inlining import Eqn
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.values import Value, Within
from compose.port.lowering.compare import MIRRORED
from compose.port.lowering.literals import number

_COMPARED = {
    "eq": "equal", "ne": "not_equal", "gt": "greater", "lt": "less", "ge": "greater_equal", "le": "less_equal",
}  # fmt: skip


@rules(*(f"jax.{name}" for name in _COMPARED))
def _compare(low, eqn, a, b):
    name = _COMPARED[eqn.name]
    if not isinstance(a, Value):
        a, b, name = b, a, MIRRORED[name]
    if isinstance(b, np.ndarray) and eqn.name == "ne" and number(b) == 0 and not np.issubdtype(a.dtype, np.floating):
        return boolean(low, a)
    return low.op(name, a, b)


@rules("jax.and", "jax.or", "jax.xor")
def _both(low, eqn, a, b):
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    if eqn.outputs[0].dtype != bool:
        return low.op(f"bitwise_{eqn.name}", a, b)
    if isinstance(b, np.ndarray) and eqn.name == "and":
        everywhere = number(b)
        return Within(a, b) if everywhere is None else a if everywhere else low.op("logical_and", a, b)
    return low.op(f"logical_{eqn.name}", a, b)


@rule("jax.not")
def _not(low, eqn, x):
    return low.emit(word("ops.logical_not" if eqn.outputs[0].dtype == bool else "ops.bitwise_invert"), x)


def boolean(low: Any, mask: Value) -> Value:
    """The boolean mask that Flax converted to numbers."""
    if mask.dtype == bool:
        return mask
    before = low.producer(mask)
    if before is not None and before.layer.kind == "astype":
        given = next((v for v in low.env.values() if isinstance(v, Value) and v.index == before.inputs[0]), None)
        if given is not None and given.dtype == bool:
            return given.but(shape=mask.shape, own=mask.own)
    return low.emit(word("ops.not_equal")(y=0.0), mask, shape=mask.shape).but(dtype=np.dtype(bool), own=mask.own)


@rule("jax.select_n")
def _select(low: JaxLowering, eqn: Eqn, which, *cases):
    chosen = number(which)
    if chosen is not None:
        return cases[int(chosen)]
    like = next(v for v in (which, *cases) if isinstance(v, Value))
    if eqn.inputs[0].dtype == bool:
        return low.emit(word("ops.where"), *(low.as_value(v, like) for v in (which, *cases[::-1])))
    made, which = low.as_value(cases[-1], like), low.as_value(which, like)
    for i in reversed(range(len(cases) - 1)):
        less = low.emit(word("ops.less")(y=i + 1), which).but(own=which.own, shape=which.shape)
        made = low.emit(word("ops.where"), less, low.as_value(cases[i], like), made)
    return made
