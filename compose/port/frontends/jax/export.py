"""Weights of a port as the tree of parameters of the function that it was made from."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ParamsError
from compose.port.frontends.jax.reference import JaxReference
from compose.port.result import Result


def to_jax_params(port: Result, params: Any, state: Any, like: Any) -> Any:
    """See `Ported.to_jax_params`."""
    saved = port.saved_by("jax")
    arrays = saved.rest | port.to_source(params, state)
    leaves = [jnp.asarray(arrays[source]) for source in saved.names.values()]
    reference: Any = port.reference
    if like is None and type(reference) is not JaxReference:
        raise ParamsError("like=, the tree of parameters that the port was made from", "a port read from a folder")
    tree: Any = reference.model.tree if like is None else jax.tree.structure(like)
    if tree.num_leaves != len(leaves):
        raise ParamsError(f"a tree of {len(leaves)} arrays", f"one of {tree.num_leaves}")
    return jax.tree.unflatten(tree, leaves)
