"""From Keras 3: a walk over the nodes of a model, whatever its backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.port.frontends.keras.registry import registry
from compose.port.ir.graph import SourceGraph
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
    from compose.port.frontends.keras.reference import KerasModel

    apart: frozenset[str] = frozenset()
    while True:
        try:
            graph, examples = read(model, *inputs, partial=partial, apart=apart)
            return Ported.of(graph, KerasModel(model, examples, graph), "keras")
        except (NoValue, Unshared) as e:
            if e.sources <= apart:
                raise plain(e) from None
            apart |= e.sources


def read(
    model: Any, *inputs: Any, partial: bool = False, apart: frozenset[str] = frozenset()
) -> tuple[SourceGraph, tuple]:
    """The model as the graph that `Ported` is made from, and examples of its call's arguments.

    Args:
        apart: the weights that are read as they are, each by one `parameter`.
    """
    try:
        import keras
    except ImportError:
        raise PortError("Keras, to read its models: pip install 'compose-jax[keras]'") from None
    from compose.port.frontends.keras.examples import examples_for
    from compose.port.frontends.keras.inlining import functional
    from compose.port.frontends.keras.lower import KerasLowering
    from compose.port.frontends.keras.options import check_variables, training_notes

    registry.load()
    if not isinstance(model, keras.Model):
        raise PortError(f"a keras.Model, got {type(model).__name__}")
    whole = functional(model, inputs)
    check_variables(model)
    walk = KerasLowering(apart)
    graph = walk.run(whole, type(model).__name__ if type(model).__module__.split(".")[0] != "keras" else model.name)
    walk.refuse(partial)
    graph = replace(graph, saved=walk.saved(model, graph.arrays), notes=training_notes(model))
    if hasattr(getattr(model, "_functional", None) or model, "_nodes_by_depth"):
        flat = keras.tree.flatten(inputs) or examples_for(whole)
        named = getattr(getattr(model, "_functional", None) or model, "_inputs_struct", None)
        if isinstance(named, dict) and len(keras.tree.flatten(named)) == len(flat):
            return graph, (keras.tree.pack_sequence_as(named, flat),)
        inputs = (flat[0] if len(flat) == 1 else flat,)
    return graph, inputs
