"""Ids of the examples against the tables of the embeddings that look them up."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from compose.core.errors import LayerError
from compose.core.layer import Layer, walk
from compose.core.plan import plan
from compose.layers.embedding import embedding, embedding_bag
from compose.train.logits import Outputs, traced


class Table(NamedTuple):
    """An embedding that looks up one of the inputs as it is given."""

    place: int  # of the input among the leaves of x
    path: tuple[str, ...]
    layer: Any


def tables(outputs: Outputs) -> tuple[Table, ...]:
    """The embeddings in a trace whose ids are an input of the network."""
    inputs = jax.tree.leaves(outputs.layers[-1].x)
    found = []
    for call in outputs.layers:
        if isinstance(call.layer, (embedding, embedding_bag)):
            ids = jax.tree.leaves(call.x)[0]
            found += [Table(i, call.ctx.path, call.layer) for i, given in enumerate(inputs) if given is ids]
    return tuple(dict.fromkeys(found))


def tables_of(net: Layer, specs: Any) -> tuple[Table, ...]:
    """`tables` for a network and abstract inputs; remembered."""
    if not _looks_up(net):
        return ()
    leaves, tree = jax.tree.flatten(specs)
    return _traced_tables(net, tuple(leaves), tree)


def check_ids(found: tuple[Table, ...], x: Any) -> None:
    """Raise `LayerError` if ids are outside of the table that they are looked up in."""
    arrays = jax.tree.leaves(x)
    for table in found:
        ids, count = arrays[table.place], table.layer.count
        low, high = int(ids.min()), int(ids.max())
        if low >= 0 and high < count:
            continue
        at = tuple(map(int, np.argwhere(np.asarray((ids < 0) | (ids >= count)))[0]))
        which = f" of input {table.place}" if len(arrays) > 1 else ""
        raise LayerError(
            f"ids between 0 and {count - 1}, the rows of its table", f"{int(ids[at])} at {list(at)}{which}",
            "give the table more rows, or map other ids to one for what is unknown",
        ).locate(table.layer, path=table.path)  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _looks_up(net: Layer) -> bool:
    return any(isinstance(layer, (embedding, embedding_bag)) for _, layer in walk(net))


@functools.lru_cache(maxsize=256)
def _traced_tables(net: Layer, leaves: tuple[Any, ...], tree: Any) -> tuple[Table, ...]:
    specs = jax.tree.unflatten(tree, leaves)
    planned = plan(net, specs)
    return tables(traced(net, planned.param_specs(), planned.state_specs(), specs))
