"""Dense layers and embeddings."""

from __future__ import annotations

import string

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rules
from compose.port.frontends.flax.rules.conv import as_tuple
from compose.port.frontends.jax.values import Value, Weight
from compose.port.ir.weights import View


@rules("flax.linen.linear.Dense", "flax.nnx.nn.linear.Linear")
def _dense(low, module, x):
    size = low.weights["kernel"].shape[1]
    return low.emit(word("fc")(size, bias="bias" in low.weights), x, weights=low.weights)


@rules("flax.linen.linear.DenseGeneral", "flax.nnx.nn.linear.LinearGeneral")
def _dense_general(low, module, x):
    features = as_tuple(getattr(module, "features", None) or getattr(module, "out_features", None))
    axes = tuple(a % x.ndim for a in as_tuple(module.axis))
    batch = module.batch_axis if hasattr(module, "batch_axis") else as_tuple(module.batch_dims)
    if batch:
        raise PortError(f"a dense layer whose weights are those of every example, got batch axes {tuple(batch)}")
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
    return table.taken(View(table.view.source, rows=rows, shape=own), (*places.shape, size), own, count)
