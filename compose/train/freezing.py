"""Freeze by path: parameters that `fit(freeze=...)` leaves as they are."""

from __future__ import annotations

from typing import Any

import jax

from compose.combinators.wrappers import frozen
from compose.core.editing import keep_keys
from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.patterns import chosen, matches
from compose.core.plan import plan


def freeze_of(given: Any) -> tuple[str, ...]:
    """The patterns for the argument of `fit`: one, or several. Raises `ConfigError`."""
    patterns = tuple(given or ()) if isinstance(given, (tuple, list, type(None))) else (given,)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ConfigError('freeze to be patterns of paths, such as "body/**"', repr(given))
    return patterns


def held(params: Any, patterns: tuple[str, ...]) -> Any:
    """A tree of booleans like `params`, True where a pattern fits. Raises `ConfigError` for one that fits nowhere."""
    for pattern in patterns:
        chosen({pattern: True}, params, "freeze")
    fits = lambda path, _: any(matches(p, jax.tree_util.keystr(path, simple=True, separator="/")) for p in patterns)
    return jax.tree_util.tree_map_with_path(fits, params)


def resting(net: Layer, inputs: Any, patterns: tuple[str, ...]) -> Layer:
    """The network with `frozen` around the largest layers whose parameters are all held.

    So batch norm and dropout in a frozen body run in inference mode, as they do in `frozen(body)`. The parameters have
    the same paths.
    """
    if not patterns:
        return net
    specs = plan(net, inputs).param_specs()
    wrapped = _around(net, held(specs, patterns))
    if jax.tree.structure(plan(wrapped, inputs).param_specs()) != jax.tree.structure(specs):
        raise ConfigError(
            f"freeze to hold layers of this network: {', '.join(patterns)}", "a layer used in several places",
            "wrap the layer in frozen(...) where the network is written",
        )  # fmt: skip
    return wrapped


def _around(layer: Layer, mask: Any) -> Layer:
    flags = jax.tree.leaves(mask)
    if not any(flags):
        return layer
    if all(flags):
        return layer if isinstance(layer, frozen) else frozen(layer)
    old = layer.children()
    if not old:
        return layer
    inner = tuple(
        _around(child, mask if layer.transparent else mask.get(key, {}) if isinstance(mask, dict) else {})
        for key, child in old
    )
    changed = any(a is not b for a, (_, b) in zip(inner, old))
    return keep_keys(layer, layer.with_children(inner)) if changed else layer
