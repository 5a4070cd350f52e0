"""JAX's operations that move numbers and compute none, and reductions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.flax.rules.elementwise import keeps, reduced
from compose.port.frontends.flax.values import Value, Weight

_REDUCED = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod"}


@rules(*(f"jax.{name}" for name in _REDUCED))
def _reduce(low, eqn, x):
    return low.emit(reduced(_REDUCED[eqn.name], eqn.params["axes"], x), x)


@rule("jax.argmax")
def _argmax(low, eqn, x):
    return low.emit(word("argmax")(axis=eqn.params["axes"][0]), x)


@rule("jax.cumsum")
def _cumsum(low, eqn, x):
    made = low.emit(word("flip")(axis=eqn.params["axis"]), x) if eqn.params["reverse"] else x
    made = low.emit(word("cumsum")(axis=eqn.params["axis"]), made)
    return low.emit(word("flip")(axis=eqn.params["axis"]), made) if eqn.params["reverse"] else made


@rule("jax.transpose")
def _transpose(low, eqn, x):
    axes = tuple(eqn.params["permutation"])
    if isinstance(x, Weight):
        return _found(x.transposed(axes), x)
    return low.emit(word("permute")(*axes), x)


@rule("jax.reshape")
def _reshape(low, eqn, x):
    shape = tuple(eqn.params["new_sizes"])
    if isinstance(x, Weight):
        return _found(x.reshaped(shape), x)
    return low.emit(reshaping(low, x.shape, shape), x)


def reshaping(low: Any, given: tuple[int, ...], made: tuple[int, ...]) -> Any:
    """The word for a new shape: by axes that join or part, where it is that, so that others may have any length."""
    if given == made:
        return word("identity")
    without = lambda shape: [n for n in shape if n != 1]
    if without(given) == without(made):
        return _ones(given, made)
    front = next(i for i, (a, b) in enumerate(zip((*given, 0), (*made, 0))) if a != b)
    back = next(i for i, (a, b) in enumerate(zip((*given[:front:-1], 0), (*made[:front:-1], 0))) if a != b)
    old, new = given[front : len(given) - back], made[front : len(made) - back]
    if len(new) == 1 and low.batch not in old:
        whole = front == 1 and back == 0
        end = front + len(old) - 1 - (len(given) if back == 0 else 0)
        return word("flatten") if whole else word("flatten")(**({"start": front} if front != 1 else {}), end=end)
    if len(old) == 1 and low.batch not in new and old[0] != low.batch:
        return word("unflatten")(axis=front - len(given) if back == 0 else front, shape=new)
    if given[:1] == made[:1]:
        return word("reshape")(*made[1:])
    if sum(n % low.batch == 0 for n in made) != 1:
        raise PortError(f"a new shape with the batch in one of its sizes, got {given} to {made}")
    return word("reshape")(*(-1 if n % low.batch == 0 else n for n in made), batch=False)


def _ones(given: tuple[int, ...], made: tuple[int, ...]) -> Any:
    """Axes of length 1 that come or go."""
    longer, shorter = max(given, made, key=len), min(given, made, key=len)
    axes, rest = [], list(shorter)
    for i, n in enumerate(longer):
        if rest and rest[0] == n and (n != 1 or len(longer) - i == len(rest)):
            rest.pop(0)
        else:
            axes.append(i)
    if rest or len(longer) == len(shorter):
        return word("reshape")(*made, batch=False)
    axis = axes[0] if len(axes) == 1 else tuple(axes)
    return word("expand_dims" if longer is made else "squeeze")(axis=axis)


@rule("jax.broadcast_in_dim")
def _broadcast(low, eqn, x):
    shape, axes = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    if isinstance(x, Weight):
        return _found(x.broadcast(shape, axes), x)
    before = low.maker(0)
    if before is not None and before.name in _REDUCED and isinstance(low.value(before.inputs[0]), Value):
        whole, over = low.value(before.inputs[0]), before.params["axes"]
        if keeps(whole.shape, over, shape):
            return low.emit(reduced(_REDUCED[before.name], over, whole, keepdims=True), whole)
    apart = tuple(x.shape[axes.index(i)] if i in axes else 1 for i in range(len(shape)))
    y = x if apart == x.shape else low.emit(reshaping(low, x.shape, apart), x, shape=apart)
    if apart == shape:
        return y
    if apart[0] != shape[0]:
        raise PortError(f"a value with its batch first, got {apart} spread to {shape}")
    return low.emit(word("broadcast_to")(*shape[1:]), y)


@rule("jax.tile")
def _tile(low, eqn, x):
    reps, shape = tuple(eqn.params["reps"]), eqn.outputs[0].shape
    if len(reps) != len(x.shape) or any(r > 1 and n != 1 for r, n in zip(reps, x.shape)):
        raise PortError(f"axes of length 1 repeated, got {tuple(x.shape)} by {reps}")
    if isinstance(x, Weight):
        return _found(x.broadcast(shape, tuple(range(len(shape)))), x)
    return low.emit(word("broadcast_to")(*shape[1:]), x)


@rule("jax.squeeze")
def _squeeze(low, eqn, x):
    axes = eqn.params["dimensions"]
    if isinstance(x, Weight):
        return _found(x.reshaped(eqn.outputs[0].shape), x)
    before = low.maker(0)
    if before is not None and before.name == "slice" and isinstance(low.value(before.inputs[0]), Value):
        return low.emit(_at(before, axes), low.value(before.inputs[0]))
    return low.emit(word("squeeze")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


@rule("jax.slice")
def _slice(low, eqn, x):
    if isinstance(x, Weight):
        return _rows(eqn, x)
    if all(n == m for n, m in zip(x.shape, eqn.outputs[0].shape)):
        return x
    return low.emit(_at(eqn, ()), x)


def _rows(eqn: Any, weight: Weight) -> Weight:
    """Some rows of a weight."""
    start, stop = eqn.params["start_indices"], eqn.params["limit_indices"]
    if (
        tuple(stop[1:]) != weight.own[1:]
        or any(start[1:])
        or {*(eqn.params["strides"] or ())} - {1}
        or weight.take.axes
    ):
        raise PortError("a part of a weight that is some of its first axis")
    shape = eqn.outputs[0].shape
    first = weight.take.rows[0] if weight.take.rows else 0
    rows = (first + start[0], first + stop[0])
    return weight.taken(replace(weight.take, rows=rows), shape)


def _at(eqn: Any, dropped: tuple[int, ...]) -> Any:
    """A slice as an index; axes that are dropped afterwards are one place of them."""
    sizes, params = eqn.inputs[0].shape, eqn.params
    parts = []
    for i, size in enumerate(sizes):
        start, stop = params["start_indices"][i], params["limit_indices"][i]
        step = params["strides"][i] if params["strides"] else 1
        if i in dropped:
            parts.append(str(start) if start < size - 1 or size == 1 else "-1")
            continue
        ends = ("" if start == 0 else str(start), "" if stop == size else str(stop))
        parts.append(":".join(ends) + (f":{step}" if step != 1 else ""))
    while parts and parts[-1] == ":":
        parts.pop()
    return word("at")(", ".join(parts))


@rule("jax.split")
def _split(low, eqn, x):
    sizes, axis = tuple(int(n) for n in eqn.params["sizes"]), eqn.params["axis"]
    axis = -1 if axis == x.ndim - 1 else axis
    equal = len(set(sizes)) == 1
    made = low.emit(word("split")(parts=len(sizes) if equal else sizes, **({} if axis == -1 else {"axis": axis})), x)
    return [low.emit(word("at")(str(i)), made) for i in range(len(sizes))]


@rule("jax.concatenate")
def _concatenate(low, eqn, *xs):
    axis, rank = eqn.params["dimension"], len(eqn.outputs[0].shape)
    if len(xs) == 2 and isinstance(xs[0], Weight) and axis == 1 and rank == 3:
        token = xs[0]
        own = (1, *token.own[-2:])
        if math.prod(own) == math.prod(token.own):
            made = word("class_token")(own[1]) if own[1] > 1 else word("class_token")
            return low.emit(made, xs[1], weights={"token": token.taken(_shaped(token, own), own)})
    return low.emit(word("concat") if axis == rank - 1 else word("concat")(axis=axis), *xs)


def _shaped(weight: Weight, shape: tuple[int, ...]) -> Any:
    return weight.take if weight.take.shape is None and weight.own == shape else replace(weight.take, shape=shape)


@rule("jax.stack")
def _stack(low, eqn, *xs):
    axis = eqn.params["axis"]
    return low.emit(word("stack_inputs") if axis == 1 else word("stack_inputs")(axis=axis), *xs)


@rule("jax.rev")
def _reverse(low, eqn, x):
    axes = eqn.params["dimensions"]
    return low.emit(word("flip")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


@rule("jax.pad")
def _pad(low, eqn, x, fill):
    config = eqn.params["padding_config"]
    if not isinstance(x, Value) or not isinstance(fill, np.ndarray) or any(config[0]) or any(c[2] for c in config):
        raise PortError("a constant around a value, not along its batch nor between its elements")
    options = {"value": float(fill)} if float(fill) else {}
    if any(config[-1]):
        raise PortError("padding that leaves the last axis as it is")
    return low.emit(word("pad")(tuple((a, b) for a, b, _ in config[1:-1]), **options), x)


def _found(weight: Weight | None, before: Weight) -> Weight:
    if weight is None:
        raise PortError(f"the weight {before.take.source} reshaped or turned once before it is used")
    return weight
