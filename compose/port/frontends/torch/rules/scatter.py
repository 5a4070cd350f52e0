"""Elements written to places that are values: scatter along an axis, index_put, masked writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.each_example import spread
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import BATCH, Value, Weight

_MODES = {"add": "add", "sum": "add", "amin": "min", "amax": "max"}


_IDLE = {"add": 0.0, "min": float("inf"), "max": -float("inf")}


@rules("aten.scatter", "aten.scatter_add", "aten.scatter_reduce")
def _scatter(low, node, x, axis, places, values, reduce=None, include_self=True):
    adds = "scatter_add" in str(node.target)
    sources = (node.args[0], *node.args[2:4])
    x, places, values = (spread(low, v, source) for v, source in zip((x, places, values), sources))
    mode = "add" if adds or reduce == "mean" else "set" if reduce is None else _MODES.get(reduce)
    if mode is None:
        raise PortError(f"elements written over others, or added or compared with them, got {reduce!r}")
    if not include_self:
        x = _scatter(low, node, x, axis, places, _IDLE[mode])
    if reduce == "mean":
        total = _scatter(low, node, x, axis, places, values, "sum")
        ones = emitted(low, word("ops.ones_like"), x)
        count = ones if include_self else _scatter(low, node, ones, axis, places, 0.0)
        return emitted(low, word("divide"), total, _scatter(low, node, count, axis, places, 1.0, "sum"))
    if mode == "set" and isinstance(values, Value):
        _refuse_twice(places, axis)
    if isinstance(values, (int, float)):
        values = np.full((), float(values))
    rank = max(len(places.shape), 1)
    options = {**({"axis": axis % rank} if axis % rank else {}), **({"mode": mode} if mode != "set" else {})}
    return emitted(low, word("scatter_along_axis")(**options), x, places, values)


def _refuse_twice(places: Any, axis: int) -> None:
    """Raise `PortError` where constant places hold one twice: which of two values is written is not said."""
    known = places.array if isinstance(places, Weight) else places
    if isinstance(known, np.ndarray) and known.ndim:
        ordered = np.sort(known, axis)
        if known.shape[axis] > 1 and (np.diff(ordered, axis=axis) == 0).any():
            raise PortError("each place written once, got one twice")


def update(low: Any, x: Any, places: list, values: Any, accumulate: bool) -> Value:
    """`x` with values written where `places` say, with None for the axes that are taken whole."""
    axes, given = indices(low, places)
    x, values = (spread(low, v, low.node.args[i]) for i, v in ((0, x), (2, values)))
    options = {**({} if axes == (0,) else {"axes": axes}), **({"mode": "add"} if accumulate else {})}
    return emitted(low, word("index_update")(**options), x, values, *given)


def indices(low: Any, places: list) -> tuple[tuple[int, ...], list]:
    """The axes that are indexed, and the places in each; a constant mask is the places where it is true."""
    axes, given, axis = [], [], 0
    for i, p in enumerate(places):
        known = p.array if isinstance(p, Weight) else p
        if p is not None and is_mask(low, i):
            if not isinstance(known, np.ndarray):
                raise PortError("places, or a mask that depends on no data; x[mask] has another shape for other data")
            low.sized = True
            for found in known.nonzero():
                axes.append(axis)
                given.append(found)
                axis += 1
            continue
        if p is not None:
            axes.append(axis)
            given.append(known if isinstance(known, np.ndarray) else p)
        axis += 1
    return tuple(axes), given


def is_mask(low: Any, i: int) -> bool:
    """Whether the places of an axis are given by a mask."""
    node = low.node.args[1][i]
    return isinstance(node, torch.fx.Node) and node.meta["val"].dtype in (torch.bool, torch.uint8)


@rule("aten.index_reduce")
def _index_reduce(low, node, x, axis, places, values, reduce, include_self=True):
    mode, axes = "add" if reduce == "mean" else _MODES.get(reduce), (axis % max(len(x.shape), 1),)
    if mode is None or not x.shape:
        raise PortError(f"elements compared with those at places, got {reduce!r}")
    options = {} if axes == (0,) else {"axes": axes}
    if reduce == "mean":
        zero = np.full((), 0.0)
        ones = emitted(low, word("ops.ones_like"), x)
        kept = lambda v: v if include_self else emitted(low, word("index_update")(**options), v, zero, places)
        adds = lambda v, by: emitted(low, word("index_update")(**options, mode="add"), kept(v), by, places)
        return emitted(low, word("divide"), adds(x, values), adds(ones, np.full((), 1.0)))
    if not include_self:
        x = emitted(low, word("index_update")(**options), x, np.full((), _IDLE[mode]), places)
    return emitted(low, word("index_update")(**options, mode=mode), x, values, places)


@rule("aten.index_fill")
def _index_fill(low, node, x, axis, places, value):
    """A number written to places along an axis."""
    number, rank = low.number(value), len(x.shape)
    if number is None:
        raise PortError("a number that is written, got a value, whose gradient counts a place as often as it is named")
    if not rank:
        return emitted(low, word("add_constant")(value=number), emitted(low, word("ops.zeros_like"), x))
    axis = axis % rank
    layer = word("index_update")(**({} if axis == 0 else {"axes": (axis,)}))
    return emitted(low, layer, x, np.full((), float(number)), places)


@rule("aten.diagonal_scatter")
def _diagonal_written(low, node, x, source, offset=0, dim1=0, dim2=1):
    """A diagonal replaced by another one."""
    shape, low.sized = low.shape, True
    if any(n and n % BATCH == 0 for n in shape):
        raise PortError("a write to an array of known size")
    every = torch.arange(int(np.prod(shape))).reshape(shape)
    places = every.diagonal(offset, dim1, dim2)
    taken = np.zeros(every.numel(), np.int32)
    taken[places.numpy().ravel()] = np.arange(places.numel())
    flat = emitted(low, word("ops.ravel"), source, shape=(places.numel(),))
    moved = emitted(low, word("ops.take"), flat, taken.reshape(shape))
    return emitted(low, word("ops.where"), np.isin(every.numpy(), places.numpy()), moved, x)


@rule("aten.put")
def _put(low, node, x, places, values, accumulate=False):
    """Elements written to places in the order of all elements."""
    n = int(np.prod(low.shape))
    row = lambda v: emitted(low, word("ops.ravel"), v, shape=(int(np.prod(v.shape)),))
    layer = word("index_update")(mode="add") if accumulate else word("index_update")
    made, low.sized = emitted(low, layer, row(x), row(values), row(places), shape=(n,)), True
    return emitted(low, word("ops.reshape")(shape=low.shape), made)


@rule("aten.masked_scatter")
def _masked_scatter(low, node, x, mask, source):
    """The values of `source` in order, where the mask is true."""
    shape, n, low.sized = low.shape, int(np.prod(low.shape)), True
    wide = emitted(low, word("ops.broadcast_to")(shape=shape), mask)
    flat = emitted(low, word("ops.ravel"), wide, shape=(n,))
    last = emitted(low, word("add_constant")(value=-1), emitted(low, word("ops.cumsum"), flat, shape=(n,)), shape=(n,))
    place = emitted(low, word("ops.reshape")(shape=shape), last)
    values = emitted(low, word("ops.ravel"), source, shape=(int(np.prod(source.shape)),))
    taken = emitted(low, word("ops.take")(mode="clip"), values, place)
    return emitted(low, word("ops.where"), wide, taken, x)
