"""A jaxpr as one flat list of operations: inner functions inlined, constants folded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from compose.port.frontends.jax.derivatives import refuse_other_derivatives
from compose.port.frontends.jax.passes.whole import whole_function
from compose.port.lowering import registry as rules

_INSIDE = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "checkpoint": "jaxpr",
    "remat2": "jaxpr", "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr", "custom_vjp_call_jaxpr": "fun_jaxpr",
}  # fmt: skip
SCOPE = "compose-scope-"  # marks in JAX's name stack which module an operation is in
_LIBRARIES = ("jax", "flax", "equinox", "haiku", "keras", "penzai")
_TURNS = 128  # a loop over the model's arrays with more iterations stays a loop
_STEPS = 64  # as does one over the input
_LARGEST = 1 << 24  # a constant of more elements is not computed while tracing


@dataclass(frozen=True, eq=False)
class Var:
    """A value of the flat list."""

    shape: tuple[int, ...]
    dtype: Any


class Way(NamedTuple):
    """One way of a choice: operations that read values around it too, and what it returns."""

    eqns: list[Eqn]
    outputs: list[Any]


@dataclass(frozen=True, eq=False)
class Eqn:
    """One operation: its inputs are `Var`s, constants, or random keys.

    Attributes:
        scope: the number of the module around it, -1 for the outermost.
        where: JAX's records of the lines that made it, and the functions around it.
        whole: for a function of JAX that is kept whole, its name and its options.
        label: another name than the primitive's.
        ways: for a choice by data, those that it chooses from.
    """

    primitive: Any
    params: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Var, ...]
    scope: int
    where: tuple
    whole: tuple[str, dict[str, Any]] | None = None
    label: str = ""
    ways: tuple[Way, ...] = ()

    @property
    def name(self) -> str:
        return self.label or self.primitive.name

    def but(self, **changes: Any) -> Eqn:
        return replace(self, **changes)

    def run(self, inputs: list) -> list:
        """What it computes from arrays."""
        made = self.primitive.bind(*inputs, **self.params)
        return list(made) if self.primitive.multiple_results else [made]


class Flat:
    """A flat jaxpr: `inputs`, `eqns`, `outputs`.

    Args:
        weights: how many of its first inputs are the model's arrays. Loops are then written out: over them alone, as
            over stacked layers, and short ones over data. Without it they stay loops.
    """

    def __init__(self, closed: ClosedJaxpr, weights: int | None = None):
        self.written_out = weights is not None
        self.eqns: list[Eqn] = []
        self.inputs = [Var(v.aval.shape, v.aval.dtype) for v in closed.jaxpr.invars]
        self.fixed = set(self.inputs[: weights or 0])
        self.outputs = self._walk(closed, list(self.inputs), -1, ())
        self.eqns = _read(self.eqns, self.outputs)

    def _walk(self, closed: ClosedJaxpr, given: list, scope: int, around: tuple) -> list:
        jaxpr = closed.jaxpr
        env: dict[Any, Any] = dict(zip(jaxpr.invars, given))
        env.update(zip(jaxpr.constvars, map(_constant, closed.consts)))

        def read(v: Any) -> Any:
            aval: Any = v.aval
            return np.asarray(v.val, aval.dtype) if isinstance(v, Literal) else env[v]

        for eqn in jaxpr.eqns:
            inputs, name = [read(v) for v in eqn.invars], eqn.primitive.name
            within, where = _scope(eqn.source_info, scope), (eqn.source_info, *around)
            whole = whole_function(eqn) if name in ("jit", "pjit") else None
            if name in _INSIDE and whole is None:
                inner = closed_jaxpr(eqn.params[_INSIDE[name]])
                if name.startswith("custom_"):
                    refuse_other_derivatives(eqn, inner, where)
                made = self._walk(inner, inputs[len(inputs) - len(inner.jaxpr.invars) :], within, where)
            elif all(isinstance(v, np.ndarray) for v in inputs) and _small(eqn):
                made = _computed(eqn, inputs)
            elif name == "scan" and self._writes_out(eqn, inputs):
                made = self._turns(eqn, inputs, within, where)
            elif name == "cond" and isinstance(inputs[0], np.ndarray):
                branches = eqn.params["branches"]
                chosen = branches[int(np.clip(inputs[0], 0, len(branches) - 1))]
                made = self._walk(closed_jaxpr(chosen), inputs[1:], within, where)
            elif name == "cond":
                made = tuple(Var(v.aval.shape, v.aval.dtype) for v in eqn.outvars)
                ways = tuple(self._way(b, inputs[1:], within, where) for b in eqn.params["branches"])
                self.eqns.append(Eqn(eqn.primitive, eqn.params, tuple(inputs), made, within, where, ways=ways))
            elif name == "while" and (turns := self._known_turns(eqn, inputs, within, where)) is not None:
                made = turns
            else:
                made = tuple(Var(v.aval.shape, v.aval.dtype) for v in eqn.outvars)
                self.eqns.append(
                    Eqn(
                        eqn.primitive,
                        eqn.params,
                        tuple(inputs),
                        made,
                        within,
                        where,
                        whole,
                        "jnp_function" * (whole is not None),
                    )
                )
                if all(not isinstance(v, Var) or v in self.fixed for v in inputs):
                    self.fixed.update(made)
            env.update(zip(eqn.outvars, made))
        return [read(v) for v in jaxpr.outvars]

    def _way(self, branch: Any, given: list, scope: int, around: tuple) -> Way:
        before, self.eqns = self.eqns, []
        outputs = self._walk(closed_jaxpr(branch), given, scope, around)
        way, self.eqns = Way(_read(self.eqns, outputs), outputs), before
        return way

    def _writes_out(self, eqn: Any, inputs: list) -> bool:
        """Whether a loop is short enough to be written out; one over data needs a length that stays."""
        _, _, xs = _scan_inputs(eqn, inputs)
        fixed = all(not isinstance(v, Var) or v in self.fixed for v in xs)
        return self.written_out and eqn.params["length"] <= (_TURNS if fixed else _STEPS)

    def _known_turns(self, eqn: Any, inputs: list, scope: int, around: tuple) -> list | None:
        """A `while` loop unrolled; None if its condition depends on data, or it has too many iterations."""
        p, start = eqn.params, len(self.eqns)
        n, m = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
        carry = inputs[m:]
        for _ in range(_TURNS + 1):
            before = len(self.eqns)
            (going,) = self._walk(closed_jaxpr(p["cond_jaxpr"]), [*inputs[:n], *carry], scope, around)
            del self.eqns[before:]
            if not isinstance(going, np.ndarray):
                break
            if not going:
                return carry
            carry = self._walk(closed_jaxpr(p["body_jaxpr"]), [*inputs[n:m], *carry], scope, around)
        del self.eqns[start:]
        return None

    def _turns(self, eqn: Any, inputs: list, scope: int, around: tuple) -> list:
        """A loop written out, iteration by iteration."""
        length, backwards, body = eqn.params["length"], eqn.params["reverse"], closed_jaxpr(eqn.params["jaxpr"])
        consts, carry, xs = _scan_inputs(eqn, inputs)
        xs = [self._of_length(x, scope, around) if isinstance(x, Var) and x not in self.fixed else x for x in xs]
        rows = []
        for i in reversed(range(length)) if backwards else range(length):
            now = [self._part(x, i, scope, around) for x in xs]
            outputs = self._walk(body, [*consts, *carry, *now], scope, around)
            carry, ys = outputs[: len(carry)], outputs[len(carry) :]
            rows.append(ys)
        columns = zip(*(rows[::-1] if backwards else rows))
        return [*carry, *(self._call(lambda *a: jnp.stack(a), list(ys), scope, around) for ys in columns)]

    def _of_length(self, x: Var, scope: int, around: tuple) -> Any:
        """What a loop that is written out runs over, whose length the network then checks."""
        made = Var(x.shape, x.dtype)
        copy = jax.make_jaxpr(jnp.copy)(jax.ShapeDtypeStruct(x.shape, x.dtype)).eqns[0]
        self.eqns.append(Eqn(copy.primitive, copy.params, (x,), (made,), scope, around, label="fixed_length"))
        return made

    def _part(self, value: Any, i: int, scope: int, around: tuple) -> Any:
        return value[i] if isinstance(value, np.ndarray) else self._call(lambda a: a[i], [value], scope, around)

    def _call(self, fn: Callable, inputs: list, scope: int, around: tuple) -> Any:
        """What a function makes of values of the list."""
        traced = jax.make_jaxpr(fn)(*(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in inputs))
        return self._walk(traced, inputs, scope, around)[0]


def closed_jaxpr(jaxpr: Any) -> ClosedJaxpr:
    """A jaxpr with its constants; from JAX 0.12 on every jaxpr carries them."""
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def _read(eqns: list[Eqn], outputs: list) -> list[Eqn]:
    """The operations that the outputs need."""
    needed, kept = {v for v in outputs if isinstance(v, Var)}, []
    for eqn in reversed(eqns):
        if not needed.isdisjoint(eqn.outputs):
            kept.append(eqn)
            needed.update(v for v in eqn.inputs if isinstance(v, Var))
    return kept[::-1]


def _scan_inputs(eqn: Any, inputs: list) -> tuple[list, list, list]:
    """The constants, the carry and the arrays scanned over.

    They are counted by their ranks, since the primitive's parameters that say so differ between versions of JAX: an
    array scanned over, or stacked as an output, has one axis more outside the body than inside.
    """
    body = closed_jaxpr(eqn.params["jaxpr"]).jaxpr
    scanned = sum(v.aval.ndim != w.aval.ndim for v, w in zip(eqn.invars, body.invars))
    stacked = sum(v.aval.ndim != w.aval.ndim for v, w in zip(eqn.outvars, body.outvars))
    carried = len(eqn.outvars) - stacked
    consts = len(inputs) - scanned - carried
    return inputs[:consts], inputs[consts : consts + carried], inputs[consts + carried :]


def _constant(value: Any) -> Any:
    """A constant as a NumPy array; a random key stays as it is."""
    return value if jnp.issubdtype(value.dtype, jax.dtypes.prng_key) else np.asarray(value)


def _scope(info: Any, outer: int) -> int:
    _, mark, rest = str(info.name_stack).rpartition(SCOPE)
    return int("".join(c for c in rest.split("/")[0] if c.isdigit())) if mark else outer


def _small(eqn: Any) -> bool:
    if eqn.primitive.name == "broadcast_in_dim":
        return True
    keep = not eqn.effects and eqn.primitive.name not in ("flax_module", "random_seed", "random_wrap")
    return keep and all(v.aval.size <= _LARGEST and v.aval.dtype != jax.dtypes.float0 for v in eqn.outvars)


def _computed(eqn: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    if eqn.primitive.name == "broadcast_in_dim":
        shape, axes = eqn.params["shape"], eqn.params["broadcast_dimensions"]
        apart = [inputs[0].shape[axes.index(i)] if i in axes else 1 for i in range(len(shape))]
        return [np.broadcast_to(inputs[0].reshape(apart), shape)]
    with jax.ensure_compile_time_eval():
        made = eqn.primitive.bind(*inputs, **eqn.params)
    return [np.asarray(a) for a in (made if eqn.primitive.multiple_results else [made])]


def within(name: str, where: tuple) -> bool:
    """Whether a function of JAX of this name made an operation."""
    jax_itself = os.path.dirname(str(jax.__file__)) + os.sep
    frames = (f for info in where if info.traceback is not None for f in info.traceback.frames)
    return any(f.function_name == name and f.file_name.startswith(jax_itself) for f in frames)


def user_line(where: tuple) -> str:
    """The file and line of the user's code that made an operation."""
    known = [sys.modules[name] for name in _LIBRARIES if name in sys.modules]
    files = [module.__file__ for module in (*known, rules) if module.__file__]
    inside = tuple(os.path.dirname(file) + os.sep for file in files)
    for info in where:
        for frame in info.traceback.frames if info.traceback is not None else ():
            if not frame.file_name.startswith((*inside, "<")):
                return f"{frame.file_name}:{frame.line_num}"
    return ""
