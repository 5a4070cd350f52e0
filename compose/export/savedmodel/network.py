"""A network, or one layer of it, as the function that a SavedModel holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax import export

from compose.core.layer import Layer
from compose.core.run import arguments, as_arrays
from compose.export.compiling import BATCH
from compose.export.suspect import Piece


@dataclass(frozen=True)
class Program:
    """What is compiled.

    Attributes:
        function: `function(weights, *leaves)`, the leaves of the outputs.
        weights: arrays by their paths.
        specs: the leaves of the inputs.
    """

    function: Callable[..., list]
    weights: dict[str, Any]
    specs: list


def of_network(net: Layer, params: Any, state: Any, inputs: Any, batch: int | str) -> Program:
    """A network in inference, for any batch size or a fixed one."""
    given = open_batch(inputs, batch)
    call = lambda weights, given: net.apply(*weights, *given)[0]
    return _program(call, (params, state), given)


def of_piece(piece: Piece) -> Program:
    """A layer of a network."""
    return _program(piece.call, piece.weights, piece.x)


def open_batch(inputs: Any, batch: int | str) -> tuple:
    """The shapes of the inputs, with the symbol of an open batch size, or a number, as the first size."""
    symbol: Any = export.symbolic_shape(BATCH)[0] if batch == BATCH else batch
    shape = lambda a: jax.ShapeDtypeStruct((symbol, *a.shape[1:]) if a.shape else (), a.dtype)
    return jax.tree.map(shape, as_arrays(arguments(inputs)))


def _program(call: Callable[[Any, Any], Any], weights: Any, given: Any) -> Program:
    held, form = jax.tree_util.tree_flatten_with_path(weights)
    specs, tree = jax.tree.flatten(given)

    def function(weights: list, *leaves: Any) -> list:
        y = call(jax.tree.unflatten(form, weights), jax.tree.unflatten(tree, leaves))
        return jax.tree.leaves(y)

    named: dict[str, Any] = {}
    for path, array in held:
        name = jax.tree_util.keystr(path[1:], simple=True, separator="/")
        named[f"state/{name}" if name in named else name] = array
    return Program(function, named, specs)
