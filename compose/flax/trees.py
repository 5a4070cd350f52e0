"""Convert a network's parameters and state to Flax's collections, and back."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx
from flax.linen import meta

from compose.core.errors import ParamsError


def to_variables(params: dict, state: dict | None = None, collection: str = "batch_stats") -> dict[str, Any]:
    """Parameters and state as `{"params": ..., "batch_stats": ...}`, the variables of `as_linen(net)`.

    >>> to_variables({"fc_0": {}}, {"batch_norm_0": {}})
    {'params': {'fc_0': {}}, 'batch_stats': {'batch_norm_0': {}}}
    """
    return {"params": params, **({collection: state} if state else {})}


def from_variables(variables: Any) -> tuple[dict, dict]:
    """Parameters and state of a network from the variables of its Linen module, or from its NNX module.

    >>> from_variables({"params": {"fc_0": {}}, "batch_stats": {"batch_norm_0": {}}})
    ({'fc_0': {}}, {'batch_norm_0': {}})

    Raises `ParamsError` if there is no `params` collection, or the state is in several collections.
    """
    if isinstance(variables, nnx.Module):
        return plain(getattr(variables, "params", {})), plain(getattr(variables, "state", {}))
    if "params" not in variables:
        raise ParamsError("Flax collections that include params", ", ".join(variables))
    others = [name for name in variables if name != "params"]
    if len(others) > 1:
        raise ParamsError("the network's state in a single collection", ", ".join(others))
    return plain(variables["params"]), plain(variables[others[0]]) if others else {}


def plain(tree: Any) -> Any:
    """A Flax tree, possibly boxed, frozen or of variables, as plain dicts of arrays with string keys."""
    if isinstance(tree, meta.AxisMetadata):
        return plain(tree.unbox())
    if isinstance(tree, nnx.Variable):
        return tree[...] if hasattr(tree.get_value(), "shape") else tree.get_value()
    if hasattr(tree, "items"):
        return {str(k): plain(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)) and not isinstance(tree, jax.Array):
        return {str(i): plain(v) for i, v in enumerate(tree)}
    return tree
