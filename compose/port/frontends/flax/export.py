"""Weights of a port as the variables of a Flax module."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.port.result import Result


def to_flax_variables(port: Result, params: Any, state: Any) -> dict[Any, Any]:
    """See `Ported.to_flax_variables`."""
    saved = port.saved_by("flax")
    arrays = saved.rest | port.to_source(params, state)
    variables: dict[Any, Any] = {}
    for name, source in saved.names.items():
        *parents, leaf = (int(key) if key.isdigit() else key for key in name.split("/"))
        tree = variables
        for key in parents:
            tree = tree.setdefault(key, {})
        tree[leaf] = jnp.asarray(arrays[source])
    return variables
