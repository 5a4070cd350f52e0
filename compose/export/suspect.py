"""Which layer a format cannot express, where its own tools say no more than that they failed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Call, Context
from compose.core.layer import Layer
from compose.core.run import pack
from compose.export.errors import ExportError


@dataclass(frozen=True)
class Piece:
    """A layer of a network alone, as a function of its weights and its inputs.

    Attributes:
        path, layer: where it is, and what.
        call: `call(weights, x)`, its output.
        weights: random arrays in the shapes of its own.
        x: the shapes of its input, with the open batch size.
        example: random arrays for one batch size.
    """

    path: tuple[str, ...]
    layer: Layer
    call: Callable[[Any, Any], Any]
    weights: Any
    x: Any
    example: Any


def refused(
    net: Layer, params: Any, state: Any, specs: tuple, examples: tuple, refusal: Callable[[Piece], str | None]
) -> tuple[Piece, str] | None:
    """The first layer that a format refuses on its own, and its reason; None if there is no such layer.

    Args:
        specs: the shapes of the inputs, which may have an open batch size.
        examples: arrays for one batch size.
        refusal: why the format refuses a layer, or None.
    """
    seen = set()
    for piece in _pieces(net, params, state, specs, examples):
        key = (piece.layer, str(piece.x), str(jax.tree.map(np.shape, piece.weights)))
        if key in seen:
            continue
        seen.add(key)
        try:
            reason = refusal(piece)
        except (jax.errors.UnexpectedTracerError, TypeError, ValueError):
            continue  # it does not compile alone: it reads what only the whole network knows, such as a mask
        if reason is not None:
            return piece, reason
    return None


def _pieces(net: Layer, params: Any, state: Any, specs: tuple, examples: tuple) -> Iterator[Piece]:
    calls, small = _calls(net, params, state, specs), _calls(net, params, state, examples)
    paths = [path for path, _, _ in calls]
    for (path, call, x), (_, _, one) in zip(calls, small):
        if any(other[: len(path)] == path and len(other) > len(path) for other in paths):
            continue  # what is inside it is tried
        weights, given = _drawn((call.params, call.state), 0.5, 1.5), _drawn(one, -1, 1)
        yield Piece(path, call.layer, functools.partial(_run, call), weights, x, given)


def _run(call: Call, weights: Any, x: Any) -> Any:
    params, state = weights
    return call.layer.call(params, state, x, call.ctx.but(on_layer=None))[0]


def _calls(net: Layer, params: Any, state: Any, inputs: tuple) -> list[tuple[tuple[str, ...], Call, Any]]:
    """Every layer that runs, in order, with the shapes of its input."""
    found = []

    def collect(path: tuple[str, ...], call: Call) -> None:
        found.append((path, call, jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), call.x)))

    ctx = Context(on_layer=collect)
    jax.eval_shape(lambda *xs: net.call(params, state, pack(xs), ctx)[0], *inputs)
    if not found:  # a single layer
        collect((), Call(net, params, state, pack(inputs), Context(), None))
    return found


def _drawn(tree: Any, low: float, high: float) -> Any:
    noise = np.random.default_rng(0)

    def draw(a: Any) -> np.ndarray:
        if jnp.issubdtype(a.dtype, jnp.floating):
            return noise.uniform(low, high, a.shape).astype(a.dtype)
        return np.zeros(a.shape, a.dtype)

    return jax.tree.map(draw, tree)


def named(error: ExportError, found: tuple[Piece, str] | None, what: str, hint: str = "") -> ExportError:
    """The error with the layer that caused it, if one was found."""
    if found is None:
        return error
    piece, reason = found
    made = ExportError(f"a layer that {what} can say", reason, hint)
    made.locate(piece.layer, path=piece.path)
    return made
