"""From Keras 3: a walk over the nodes of a model, whatever its backend."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.port.frontends.keras.registry import registry
from compose.port.lowering.unsupported import NoValue, plain
from compose.port.ported import Ported
from compose.port.structure.sharing import Unshared


def from_keras(model: Any, *inputs: Any, partial: bool = False) -> Ported:
    """Port a Keras model to one expression with its weights.

    Args:
        model: functional, sequential, nested, or subclassed with a `call` that Keras can trace.
        inputs: example arrays, batch first, or for a model whose call takes a dict or list of them that; needed for a
            subclassed model, else random ones are made.
        partial: where layers are missing, list them all in one error.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Penalties of weights and activities belong to the source's loss, and are not part of the network; the report of
    the proof names them.

    Raises `PortError` for a layer without a rule, an option that has no equal here, as a constraint or a quantised
    dtype, a `Lambda` that cannot be traced, or a Keras that is not installed.
    """
    try:
        import keras
    except ImportError:
        raise PortError("Keras, to read its models: pip install 'compose-jax[keras]'") from None
    from compose.port.frontends.keras.options import check_variables
    from compose.port.frontends.keras.reading import read
    from compose.port.frontends.keras.reference import KerasModel

    registry.load()
    if not isinstance(model, keras.Model):
        raise PortError(f"a keras.Model, got {type(model).__name__}")
    check_variables(model)
    apart: frozenset[str] = frozenset()
    while True:
        try:
            graph, examples = read(model, inputs, partial, apart)
            return Ported.of(graph, KerasModel(model, examples, graph), "keras")
        except (NoValue, Unshared) as e:
            if e.sources <= apart:
                raise plain(e) from None
            apart |= e.sources
