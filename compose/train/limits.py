"""Integers of the examples against what layers do with them: ids in the tables of embeddings, lengths of sequences."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from compose.combinators.over_time import OverTime
from compose.combinators.recurrent import bidirectional, recurrent, stacked
from compose.core.errors import LayerError
from compose.core.layer import Layer, walk
from compose.core.plan import plan
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.embedding import embedding, embedding_bag
from compose.train.logits import Outputs, traced

_TAKE_LENGTHS = (embedding_bag, OverTime, recurrent, bidirectional, stacked, multi_head_attention)


class Limit(NamedTuple):
    """The range of an input of integers, for a layer that gets it as it is given."""

    place: int  # of the input among the leaves of x
    path: tuple[str, ...]
    layer: Any
    most: int
    what: str


def limits(outputs: Outputs) -> tuple[Limit, ...]:
    """The ids and lengths in a trace that are inputs of the network."""
    inputs = jax.tree.leaves(outputs.layers[-1].x)
    found: list[Limit] = []

    def limit(call: Any, array: Any, most: int, what: str) -> None:
        found.extend(Limit(i, call.ctx.path, call.layer, most, what) for i, a in enumerate(inputs) if a is array)

    for call in outputs.layers:
        parts = jax.tree.leaves(call.x)
        if isinstance(call.layer, (embedding, embedding_bag)):
            limit(call, parts[0], call.layer.count - 1, "ids")
        if isinstance(call.layer, _TAKE_LENGTHS):
            keys = isinstance(call.layer, multi_head_attention) and len(parts) > 2
            for part in parts[1:]:
                if part.ndim == 1 and jnp.issubdtype(part.dtype, jnp.integer):
                    limit(call, part, parts[int(keys)].shape[1], "lengths")
    return tuple(dict.fromkeys(found))


def limits_of(net: Layer, specs: Any) -> tuple[Limit, ...]:
    """`limits` for a network and abstract inputs; remembered."""
    if not _has_limits(net):
        return ()
    leaves, tree = jax.tree.flatten(specs)
    return _traced_limits(net, tuple(leaves), tree)


def check_limits(found: tuple[Limit, ...], x: Any) -> None:
    """Raise `LayerError` if ids are outside of the table that they are looked up in, or lengths beyond the steps."""
    arrays = jax.tree.leaves(x)
    for limit in found:
        given = arrays[limit.place]
        if int(given.min()) >= 0 and int(given.max()) <= limit.most:
            continue
        at = tuple(map(int, np.argwhere(np.asarray((given < 0) | (given > limit.most)))[0]))
        which = f" of input {limit.place}" if len(arrays) > 1 else ""
        rows = "the rows of its table" if limit.what == "ids" else "the steps of its sequences"
        hint = "give the table more rows, or map other ids to one for what is unknown" if limit.what == "ids" else ""
        raise LayerError(
            f"{limit.what} between 0 and {limit.most}, {rows}", f"{int(given[at])} at {list(at)}{which}", hint
        ).locate(limit.layer, path=limit.path)


@functools.lru_cache(maxsize=1024)
def _has_limits(net: Layer) -> bool:
    return any(isinstance(layer, (embedding, *_TAKE_LENGTHS)) for _, layer in walk(net))


@functools.lru_cache(maxsize=256)
def _traced_limits(net: Layer, leaves: tuple[Any, ...], tree: Any) -> tuple[Limit, ...]:
    specs = jax.tree.unflatten(tree, leaves)
    planned = plan(net, specs)
    return limits(traced(net, planned.param_specs(), planned.state_specs(), specs))
