"""Linear maps, products of matrices, einsum, embeddings."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.flax.rules.conv import as_tuple
from compose.port.frontends.flax.rules.shape import reshaping
from compose.port.frontends.flax.values import Value, Weight
from compose.port.ir.weights import Take


@rules("flax.linen.linear.Dense", "flax.nnx.nn.linear.Linear")
def _dense(low, module, x):
    size = low.weights["kernel"].shape[1]
    return low.emit(word("fc")(size, bias="bias" in low.weights), x, weights=low.weights)


@rules("flax.linen.linear.DenseGeneral", "flax.nnx.nn.linear.LinearGeneral")
def _dense_general(low, module, x):
    features = as_tuple(getattr(module, "features", None) or getattr(module, "out_features", None))
    axes = tuple(a % x.ndim for a in as_tuple(module.axis))
    batch = module.batch_dims if isinstance(module.batch_dims, dict) else dict.fromkeys(as_tuple(module.batch_dims))
    if batch:
        raise PortError(f"a dense layer without batch_dims, got {tuple(batch)}")
    if axes == (x.ndim - 1,) and len(features) == 1:
        return low.emit(word("fc")(features[0], bias="bias" in low.weights), x, weights=low.weights)
    letters = string.ascii_lowercase
    given, new = letters[: x.ndim], letters[x.ndim : x.ndim + len(features)]
    kept = "".join(c for i, c in enumerate(given) if i not in axes)
    kernel = "".join(given[a] for a in axes) + new
    options = {"bias": new} if "bias" in low.weights else {}
    made = word("einsum")(f"{given},{kernel}->{kept}{new}", features, **options)
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.linear.Embed", "flax.nnx.nn.linear.Embed")
def _embed(low, module, x):
    count, size = low.weights["embedding"].shape
    if not isinstance(x, Value):
        return _positions(low.weights["embedding"], np.asarray(x))
    return low.emit(word("embedding")(count, size), x, weights=low.weights)


def _positions(table: Weight, places: np.ndarray) -> Weight:
    """The first rows of a table, as for positions."""
    (count, size), time = table.shape, places.shape[-1]
    if not (places == np.arange(time)).all():
        raise PortError("an embedding of ids that are an input, or of the positions 0, 1, 2, ...")
    own = (*(1,) * (places.ndim - 1), time, size)
    rows = None if time == count else (0, time)
    return table.taken(Take(table.take.source, rows=rows, shape=own), (*places.shape, size), own, count)


@rule("jax.dot_general")
def _dot(low, eqn, a, b):
    (over_a, over_b), (same_a, same_b) = eqn.params["dimension_numbers"]
    over_a, over_b, same_a, same_b = (tuple(axes) for axes in (over_a, over_b, same_a, same_b))
    if isinstance(a, Value) and isinstance(b, Value):
        return _values(low, eqn, (a, over_a, same_a), (b, over_b, same_b))
    if isinstance(a, Weight):
        return _einsum(low, (b, over_b, same_b), (a, over_a, same_a), turned=True)
    plain = over_a == (a.ndim - 1,) and not same_a and len(b.shape) == 2
    if plain:
        kernel = b if over_b == (0,) else b.transposed((1, 0))
        return low.emit(word("fc")(eqn.outputs[0].shape[-1], bias=False), a, weights={"kernel": kernel})
    return _einsum(low, (a, over_a, same_a), (b, over_b, same_b), turned=False)


def _einsum(low: Any, value: tuple, weight: tuple, turned: bool) -> Value:
    """A product with a weight over any axes; `turned` where the weight's free axes come first in the result."""
    (x, over, same), (kernel, kernel_over, kernel_same) = value, weight
    letters = iter(string.ascii_lowercase)
    of_x = [next(letters) for _ in x.shape]
    pairs = dict(zip((*kernel_over, *kernel_same), (*over, *same)))
    of_kernel = [of_x[pairs[i]] if i in pairs else next(letters) for i in range(len(kernel.shape))]
    free_x = [c for i, c in enumerate(of_x) if i not in over and i not in same]
    free_kernel = [c for i, c in enumerate(of_kernel) if i not in pairs]
    free = [*free_kernel, *free_x] if turned else [*free_x, *free_kernel]
    batch = [of_x[i] for i in same]
    equation = f"{''.join(of_x)},{''.join(of_kernel)}->{''.join([*batch, *free])}"
    sizes = tuple(n for i, n in enumerate(kernel.shape) if i not in pairs)
    return low.emit(word("einsum")(equation, sizes), x, weights={"kernel": kernel})


def _values(low: Any, eqn: Any, left: tuple, right: tuple) -> Value:
    """The product of two values, permuted for `matmul`."""
    made = []
    for (x, over, same), last in ((left, True), (right, False)):
        free = [i for i in range(x.ndim) if i not in over and i not in same]
        order = (*same, *free, *over) if last else (*same, *over, *free)
        sizes = lambda axes, x=x: tuple(x.shape[i] for i in axes)
        y = x if order == tuple(range(x.ndim)) else low.emit(word("permute")(*order), x, shape=sizes(order))
        matrix = [math.prod(sizes(free)), math.prod(sizes(over))]
        wanted = (*sizes(same), *(matrix if last else matrix[::-1]))
        made.append(y if wanted == y.shape else low.emit(reshaping(low, y.shape, wanted), y, shape=wanted))
    a, b = made
    y = low.emit(word("matmul"), a, b, shape=(*a.shape[:-1], b.shape[-1]))
    out = eqn.outputs[0].shape
    return y if y.shape == out else low.emit(reshaping(low, y.shape, out), y)
