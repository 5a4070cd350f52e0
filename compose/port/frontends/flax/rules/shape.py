"""Reshaping, permuting, joining, splitting, padding."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rule
from compose.port.frontends.flax.rules.index import index_layer
from compose.port.frontends.flax.rules.reduce import REDUCED, keeps, reduced
from compose.port.frontends.flax.values import Value, Weight


@rule("jax.transpose")
def _transpose(low, eqn, x):
    axes = tuple(eqn.params["permutation"])
    if isinstance(x, Weight):
        return found_weight(x.transposed(axes), x)
    return low.emit(word("permute")(*axes), x)


@rule("jax.reshape")
def _reshape(low, eqn, x):
    shape = tuple(eqn.params["new_sizes"])
    if isinstance(x, Weight):
        return found_weight(x.reshaped(shape), x)
    return low.emit(reshaping(low, x.shape, shape), x)


def reshaping(low: Any, given: tuple[int, ...], made: tuple[int, ...]) -> Any:
    """The layer for a new shape; it splits or merges axes where possible, so that the others may have any length."""
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
    """Axes of length 1 that are added or removed."""
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
    return word("ops.expand_dims" if longer is made else "ops.squeeze")(axis=axis)


@rule("jax.broadcast_in_dim")
def _broadcast(low, eqn, x):
    shape, axes = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    if isinstance(x, Weight):
        return found_weight(x.broadcast(shape, axes), x)
    before = low.maker(0)
    if before is not None and before.name in REDUCED and isinstance(low.seen(before.inputs[0]), Value):
        whole, over = low.value(before.inputs[0]), before.params["axes"]
        if keeps(whole.shape, over, shape):
            return low.emit(reduced(REDUCED[before.name], over, whole, keepdims=True), whole)
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
        return found_weight(x.broadcast(shape, tuple(range(len(shape)))), x)
    return low.emit(word("broadcast_to")(*shape[1:]), x)


@rule("jax.squeeze")
def _squeeze(low, eqn, x):
    axes = eqn.params["dimensions"]
    if isinstance(x, Weight):
        return found_weight(x.reshaped(eqn.outputs[0].shape), x)
    before = low.maker(0)
    if before is not None and before.name == "slice" and isinstance(low.seen(before.inputs[0]), Value):
        return low.emit(index_layer(before, axes), low.value(before.inputs[0]))
    return low.emit(word("ops.squeeze")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


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
    return low.emit(word("ops.flip")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


@rule("jax.pad")
def _pad(low, eqn, x, fill):
    config = eqn.params["padding_config"]
    if not isinstance(x, Value) or not isinstance(fill, np.ndarray) or any(config[0]) or any(c[2] for c in config):
        raise PortError("a constant around a value, not along its batch nor between its elements")
    options = {"value": float(fill)} if float(fill) else {}
    if any(config[-1]):
        raise PortError("padding that leaves the last axis as it is")
    return low.emit(word("pad")(tuple((a, b) for a, b, _ in config[1:-1]), **options), x)


def found_weight(weight: Weight | None, before: Weight) -> Weight:
    if weight is None:
        raise PortError(f"the weight {before.take.source} reshaped or turned once before it is used")
    return weight
