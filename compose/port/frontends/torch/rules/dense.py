"""Linear maps, embeddings and dropout."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dense import fc
from compose.layers.dropout import dropout
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.weight_expressions import rows
from compose.port.ir.weights import Take
from compose.port.lowering.values import BATCH, Value, Weight, identity_axes, turned


@rule("aten.linear")
def _linear(low, node, x, weight, bias=None):
    shape = low.shape
    if x.unflat is not None:
        take = _unflattened(x, weight)
    else:
        take = turned(replace(weight.take, note="OI→IO"), weight.shape, (1, 0))
        if x.axes[-1] != x.ndim - 1:
            x = low.as_source(x)
    if isinstance(bias, Value):  # that is made of several parameters
        made = low.emit(fc(weight.shape[0], bias=False), x, shape=shape, axes=x.axes, weights={"kernel": take})
        wide = low.reshaped(bias, (1,) * (len(shape) - 1) + bias.shape, BATCH, flattens=False)
        wide = low.emit(word("broadcast_to")(*shape[1:]), wide, shape=(1, *shape[1:])) if len(shape) > 2 else wide
        return low.emit(word("add"), made, low.moved(wide, made.axes), shape=shape, axes=made.axes)
    tied = bias is not None and low.is_table(take.source)  # an embedding's `attend` has no bias
    layer = fc(weight.shape[0], bias=bias is not None and not tied)
    made = low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": take, "bias": None if tied else bias})
    return low.emit(word("learned_bias")(), made, weights={"bias": bias}) if tied else made


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
    if isinstance(ids, np.ndarray):
        return places(low, weight, ids)
    if scale_grad:
        raise PortError("an embedding whose gradient is not scaled by frequency (scale_grad_by_freq=False)")
    layer = word("embedding")(*weight.shape, **({} if padding_index < 0 else {"padding": padding_index}))
    ids = low.as_source(ids)
    low.record_table(weight)
    return low.emit(layer, ids, axes=identity_axes(ids.ndim + 1), weights={"embedding": weight})


def places(low, weight: Weight, ids: np.ndarray) -> Any:
    """Rows of a table that are the same for each example, as those of positions: a parameter of their shape."""
    start, n = int(ids.flat[0]), ids.size
    alike = bool((ids == start).all())
    if low.like is not None or not (alike or np.array_equal(ids.ravel(), start + np.arange(n))):
        return rows(low, weight, ids)
    if weight.take != Take(weight.take.source):
        raise PortError("positions in a table of its own")
    shape = (*ids.shape, weight.shape[1])
    if alike and n > 1:
        n, shape = 1, (*(1 for _ in ids.shape), weight.shape[1])
    stop, count = start + n, weight.shape[0]
    low.read_rows(weight, start, stop)
    take = Take(weight.take.source, rows=None if n == count else (start, stop), shape=shape)
    return Weight.of(take, weight.array[start:stop].reshape(shape))


def _bags(module, input, offsets=None, per_sample_weights=None):
    return module.weight.new_empty((input.shape[0], module.embedding_dim))


@rule(torch.nn.EmbeddingBag, outputs=_bags)
def _embedding_bag(low, call, ids, *rest):
    module, given = call.module, dict(zip(call.tensors, (ids, *rest)))
    if len(ids.shape) != 2 or "offsets" in given:
        raise PortError("bags of ids (batch, n), got one row with offsets: pad the bags, with padding_idx")
    if module.max_norm is not None or module.scale_grad_by_freq:
        raise PortError("an embedding bag without max_norm and scale_grad_by_freq")
    padding = {} if module.padding_idx is None else {"padding": module.padding_idx}
    layer = word("embedding_bag")(module.num_embeddings, module.embedding_dim, module.mode, **padding)
    weights = {"embedding": Take(f"{call.path}.weight" if call.path else "weight")}
    shape = (ids.shape[0], module.embedding_dim)
    return low.emit(layer, *given.values(), shape=shape, axes=(0, 1), weights=weights)


@rule("aten._weight_norm")
def _weight_norm(low, node, weight, gain, axis=0):
    """The kernel with its gain beside it: `emit` wraps the layer that takes it."""
    if axis != 0:
        raise PortError(f"weight_norm over what reaches one output (dim=0), got dim={axis}")
    low.record_gain(weight, gain)
    return weight


@rule("aten.dropout")
def _dropout(low, node, x, rate, train):
    return low.emit(dropout(rate), x) if rate > 0 else x


@rule("aten.alpha_dropout")
def _alpha_dropout(low, node, x, rate, train):
    return low.emit(word("alpha_dropout")(rate), x) if rate > 0 else x


@rules("aten.feature_dropout")
def _feature_dropout(low, node, x, rate, train):
    x = low.channels_last(x)
    return low.emit(dropout(rate, shared_axes=tuple(range(1, x.ndim - 1))), x)
