"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.lowering.values import BATCH, GraphValue


@rule("keras.layers.CategoryEncoding")
def _category(walk, layer, x, count_weights=None):
    if count_weights is not None:
        raise PortError("counts without count_weights")
    return _encoded(walk, x, layer.output_mode, layer.num_tokens)


@rule("keras.layers.Discretization")
def _discretization(walk, layer, x):
    if not layer.bin_boundaries:
        raise PortError("a discretisation with its boundaries, adapted or given")
    bins = walk.emit(word("bucketize")(boundaries=tuple(map(float, layer.bin_boundaries))), x)
    return _encoded(walk, bins, layer.output_mode, len(layer.bin_boundaries) + 1)


def _encoded(walk: Any, x: Any, mode: str, size: int) -> Any:
    """Keras's output modes of integers: each row of ids gives one vector, except in one-hot mode."""
    given = walk.given.shape
    if mode == "int":
        return x
    if mode == "one_hot":
        x = walk.emit(word("ops.squeeze")(axis=-1), x) if len(given) > 1 and given[-1] == 1 else x
        return walk.emit(word("one_hot")(size=size), x)
    if len(given) < 2:
        raise PortError(f'rows of ids for the output mode {mode!r}, got one id each; use "one_hot"')
    if mode == "multi_hot":
        return walk.emit(word("multi_hot")(size=size), x)
    return walk.emit(word("ops.sum")(axis=-2), walk.emit(word("one_hot")(size=size), x))


_TEXT = ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing")


@rules(*(f"keras.layers.{name}" for name in _TEXT))
def _text(walk, layer, *inputs, **_):
    raise PortError(
        f"a model that starts after {type(layer).__name__}, which is kept in front of it: "
        f"from_keras(keras.Model({layer.name}.output, model.output)), with {layer.name} = "
        f"model.get_layer({layer.name!r})"
    )


@rule("keras.ops.TakeAlongAxis")
def _gather(walk, op, x, indices):
    if op.axis is None:
        raise PortError("take_along_axis with an axis")
    return walk.emit(word("ops.take_along_axis")(axis=op.axis), x, indices)


@rule("keras.ops.Slice")
def _slice(walk, op, x, start_indices):
    if any(isinstance(v, GraphValue) for v in keras.tree.flatten(start_indices)):
        raise PortError("a slice whose start depends on no data")
    parts, starts = [], [int(v) for v in keras.tree.flatten(start_indices)]
    for i, (start, size) in enumerate(zip(starts, op.shape)):
        whole = i == 0 and size in (None, BATCH, -1)
        parts.append(":" if whole else f"{start or ''}:{start + int(size or 0)}")
    return walk.emit(word("at")(", ".join(parts)), x)


@rule("keras.ops.GetItem")
def _get_item(walk, op, x, key):
    parts = key if isinstance(key, (tuple, list)) else (key,)
    return walk.emit(word("at")(", ".join(map(_index, parts))), x)


def _index(part: Any) -> str:
    if part is Ellipsis:
        return "..."
    if isinstance(part, slice):
        ends = ["" if n is None else str(n) for n in (part.start, part.stop, part.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if part is None or (isinstance(part, int) and not isinstance(part, (GraphValue, bool))):
        return str(part)
    raise PortError("an index of ints, slices, ... and None, none of them data")


@rule("keras.ops.Take")
def _take(walk, op, x, indices):
    if isinstance(x, keras.Variable) and isinstance(indices, GraphValue) and op.axis == 0 and len(x.shape) == 2:
        return walk.emit(word("embedding")(*x.shape), indices, weights={"embedding": x})
    if not isinstance(x, GraphValue) or op.axis is None:
        raise PortError("rows of a weight by ids, or parts of a value along one axis")
    rank = len(x.shape)
    if isinstance(indices, GraphValue):
        axes = (op.axis % rank,)
        return walk.emit(word("index_axes")(**({"axes": axes} if axes != (0,) else {})), x, indices)
    lead = ":, " * (op.axis % rank)
    if isinstance(indices, int):
        return walk.emit(word("at")(f"{lead}{indices}"), x)
    places = [int(i) for i in np.asarray(keras.ops.convert_to_numpy(indices)).ravel()]
    parts = [walk.emit(word("at")(f"{lead}{i}:{i + 1 or ''}"), x) for i in places]
    return walk.emit(word("concat")(axis=op.axis), *parts)


@rule("keras.ops.OneHot")
def _one_hot(walk, op, x):
    if op.axis not in (-1, len(walk.node.output_tensors[0].shape) - 1):
        raise PortError("one-hot vectors on the last axis")
    return walk.emit(word("one_hot")(size=op.num_classes), x)
