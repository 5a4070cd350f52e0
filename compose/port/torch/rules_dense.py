"""Linear maps, embeddings and dropout."""

from __future__ import annotations

import math

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dense import fc
from compose.layers.dropout import dropout
from compose.port.lowering.values import Weight, identity_axes
from compose.port.rules import rule, rules
from compose.port.weights import Take


@rule("aten.linear")
def _linear(low, node, x, weight, bias=None):
    shape = low.shape
    if x.unflat is not None:
        take = _unflattened(x, weight)
    else:
        take = Take(weight.take.source, rows=weight.take.rows, axes=(1, 0), note="OI→IO")
        if x.axes[-1] != x.ndim - 1:
            x = low.as_source(x)
    layer = fc(weight.shape[0], bias=bias is not None)
    return low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": take, "bias": bias})


def _unflattened(x, weight: Weight) -> Take:
    """The rows of a matrix after `flatten`, from the source's order of channels and space to ours."""
    inner = x.unflat.shape[1:]
    order = tuple(a for a in x.unflat.axes[1:])
    return Take(
        weight.take.source,
        split=(weight.shape[0], *inner),
        axes=(*order, 0),
        shape=(math.prod(inner), weight.shape[0]),
        note="O(CHW)→(HWC)O",
    )


@rule("aten.embedding")
def _embedding(low, node, weight, ids, padding_index=-1, scale_grad=False, sparse=False):
    if scale_grad:
        raise PortError("an embedding whose gradient is not scaled by frequency (scale_grad_by_freq=False)")
    layer = word("embedding")(*weight.shape, **({} if padding_index < 0 else {"padding": padding_index}))
    ids = low.as_source(ids)
    return low.emit(layer, ids, axes=identity_axes(ids.ndim + 1), weights={"embedding": weight})


@rule("aten.dropout")
def _dropout(low, node, x, rate, train):
    return low.emit(dropout(rate), x) if rate > 0 else x


@rules("aten.feature_dropout")
def _feature_dropout(low, node, x, rate, train):
    x = low.channels_last(x)
    return low.emit(dropout(rate, shared_axes=tuple(range(1, x.ndim - 1))), x)
