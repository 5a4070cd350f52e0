"""From JAX: the trace of any pure function of parameters and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from compose.core.errors import PortError
from compose.port.frontends.jax.registry import registry
from compose.port.ported import Ported


def from_jax(fn: Callable, params: Any, *inputs: Any, partial: bool = False) -> Ported:
    """Port a pure JAX function of parameters and inputs to one expression with its weights.

    `from_jax(lambda params, x: jnp.tanh(x @ params["w"]), {"w": w}, x)`.

    Args:
        fn: it is called as `fn(params, *inputs)` and returns arrays, or a tree of them. It computes what the model
            does in inference; `jax.vmap` of a function of one example is a function of a batch.
        params: a tree of arrays: of Haiku, `equinox.partition(model, equinox.is_array)[0]`, of `nnx.split`, or one
            made by hand. Those of floating point are trained.
        inputs: example arrays, batch first, also in trees, whose leaves are the inputs of the network. The batch may
            have any size afterwards.
        partial: where operations are missing, list them all in one error with the lines they come from.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`. `to_jax_params` gives the
    tree of parameters back.

    Raises `PortError` for a function that cannot be traced, a loop that depends on data, an operation
    without a rule, and a leaf of `params` that is not an array.
    """
    from compose.port.frontends.jax.capture import JaxFunction
    from compose.port.frontends.jax.lower import JaxLowering
    from compose.port.frontends.jax.port import ported
    from compose.port.frontends.jax.reference import JaxReference

    registry.load()
    if not callable(fn) or not jax.tree.leaves(inputs):
        raise PortError("a function and example inputs: from_jax(fn, params, x)")
    reference = JaxReference(JaxFunction(fn, params, inputs), tuple(jax.tree.leaves(inputs)))
    lowering = lambda inputs, apart, _: JaxLowering(reference.model, inputs, apart)
    return ported(lowering, reference, "jax", partial)
