"""Comparisons, choices and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.inlining import Eqn
from compose.port.frontends.flax.lower import FlaxLowering
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.flax.values import Value
from compose.port.lowering.literals import number

_COMPARED = {
    "eq": ("ops.equal", True), "ne": ("ops.equal", False), "gt": ("ops.greater", True), "lt": ("ops.less", True),
    "ge": ("ops.less", False), "le": ("ops.greater", False),
}  # fmt: skip
_MIRRORED = {"ops.greater": "ops.less", "ops.less": "ops.greater", "ops.equal": "ops.equal"}


@dataclass(frozen=True, eq=False)
class Within:
    """A boolean value and a constant mask, both of which must hold; only attention can use it."""

    value: Value
    constant: np.ndarray


@rules(*(f"jax.{name}" for name in _COMPARED))
def _compare(low, eqn, a, b):
    name, holds = _COMPARED[eqn.name]
    if not isinstance(a, Value):
        a, b, name = b, a, _MIRRORED[name]
    if isinstance(b, Value):
        made = low.emit(word(name), a, b)
    elif not isinstance(b, np.ndarray):
        raise PortError("a comparison of two values, or of a value and constants")
    elif eqn.name == "ne" and number(b) == 0:
        return boolean(low, a)
    elif number(b) is not None:
        made = low.emit(word(name)(y=number(b)), a)
    else:
        if not np.issubdtype(a.dtype, np.floating):
            a = low.emit(word("ops.astype")(dtype=word("float32")), a, shape=a.shape)
        shape = eqn.outputs[0].shape
        a = a if a.shape == shape else low.emit(word("broadcast_to")(*shape[1:]), a)
        made = low.emit(word(name)(y=0.0), low.with_known("add", a, -b.astype(np.float64)))
    return made if holds else low.emit(word("ops.logical_not"), made)


@rules("jax.and", "jax.or")
def _both(low, eqn, a, b):
    if eqn.outputs[0].dtype != bool:
        raise PortError(f"booleans joined by {eqn.name}")
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    if isinstance(b, Value):
        return low.emit(word(f"ops.logical_{eqn.name}"), a, b)
    everywhere = number(b)
    if everywhere is not None and bool(everywhere) == (eqn.name == "and"):
        return a
    if eqn.name == "or" or everywhere is not None or not isinstance(b, np.ndarray):
        raise PortError(f"two values joined by {eqn.name}, or a value and a constant mask joined by and")
    return Within(a, b)


@rule("jax.not")
def _not(low, eqn, x):
    return low.emit(word("ops.logical_not"), x)


def boolean(low: Any, mask: Value) -> Value:
    """The boolean mask that Flax converted to numbers."""
    if mask.dtype == bool:
        return mask
    before = low.producer(mask)
    if before is not None and before.layer.kind == "astype":
        given = next(v for v in low.env.values() if isinstance(v, Value) and v.index == before.inputs[0])
        if given.dtype == bool:
            return given
    return low.emit(
        word("ops.logical_not"), low.emit(word("ops.equal")(y=0.0), mask, shape=mask.shape), shape=mask.shape
    )


@rule("jax.select_n")
def _select(lowering: FlaxLowering, eqn: Eqn, which, *cases):
    chosen = number(which)
    if isinstance(which, Value) and all(isinstance(case, Value) for case in cases):
        return lowering.emit(word("ops.where"), which, *cases[::-1])
    if chosen is None:
        raise PortError("a choice that is the same everywhere; make others a function under @compose.register")
    return cases[int(chosen)]
