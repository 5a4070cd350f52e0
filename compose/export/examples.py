"""The examples that an export is compared with its network on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.combinators.steps import masked
from compose.core.function import Function
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import abstract
from compose.layers.embedding import embedding, embedding_bag
from compose.layers.encode import integer_lookup, multi_hot, one_hot
from compose.train.limits import limits
from compose.train.logits import Outputs, traced

PICTURE = 3  # axes from which on bytes are those of pictures


def examples_of(net: Layer, inputs: tuple, batch: int) -> tuple:
    """A batch of this size of every input: of the given arrays, or random ones for shapes.

    Random integers are those that the layers which read them know, else 0 and 1. Random sequences end in padding where
    a layer takes a value for it.
    """
    if not any(isinstance(a, jax.ShapeDtypeStruct) for a in jax.tree.leaves(inputs)):
        most = {}
    else:
        most = _largest(net, inputs)
    padding = tuple(layer.value for _, layer in net.walk() if isinstance(layer, masked))
    tables = (layer for _, layer in net.walk() if isinstance(layer, (embedding, embedding_bag)))
    ids = (*padding, *(layer.padding for layer in tables if layer.padding is not None))
    leaves, tree = jax.tree.flatten(inputs)
    drawn = [_example(a, batch, most.get(i), padding, ids) for i, a in enumerate(leaves)]
    return jax.tree.unflatten(tree, drawn)


def _example(given: Any, batch: int, most: int | None, padding: tuple, ids: tuple) -> Any:
    if not given.shape:
        return given if not isinstance(given, jax.ShapeDtypeStruct) else np.zeros((), given.dtype)
    if not isinstance(given, jax.ShapeDtypeStruct):
        rows = np.arange(batch) % given.shape[0]
        return jnp.asarray(np.asarray(given)[rows])
    noise, shape = np.random.default_rng(batch), (batch, *given.shape[1:])
    if jnp.issubdtype(given.dtype, jnp.floating):
        return _ended(noise.normal(size=shape), padding if len(shape) > 2 else ()).astype(given.dtype)
    if most is None:
        most = 255 if given.dtype == np.uint8 and len(shape) >= PICTURE else 1
        ids = ()
    return _ended(noise.integers(0, most + 1, shape), ids if len(shape) > 1 else ()).astype(given.dtype)


def _ended(drawn: np.ndarray, padding: tuple) -> np.ndarray:
    """With padding from another step on in each row, if there are values for it."""
    for i in range(len(drawn) if padding else 0):
        drawn[i, 1 + i % drawn.shape[1] :] = padding[i % len(padding)]
    return drawn


def _largest(net: Layer, inputs: tuple) -> dict[int, int]:
    """The largest integer of those inputs, by their place, of which a layer says what it knows."""
    given = abstract(inputs)
    if all(jnp.issubdtype(a.dtype, jnp.inexact) for a in jax.tree.leaves(given)):
        return {}
    planned = plan(net, given)
    outputs = traced(net, planned.param_specs(), planned.state_specs(), given)
    found = {limit.place: limit.most for limit in limits(outputs)}
    return _encoded(outputs) | found


def _encoded(outputs: Outputs) -> dict[int, int]:
    """The integers that encodings tell apart, among which others are possible."""
    inputs, found = jax.tree.leaves(outputs.layers[-1].x), {}
    for call in outputs.layers:
        layer: Any = call.layer
        if isinstance(layer, integer_lookup):
            most = max(layer.vocabulary) + 1
        elif isinstance(layer, Function) and layer.fn in (one_hot.fn, multi_hot.fn):
            most = dict(layer.options)["size"] - 1
        else:
            continue
        found |= {i: most for i, a in enumerate(inputs) if a is call.x}
    return found
