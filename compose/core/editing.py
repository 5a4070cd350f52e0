"""Editing networks as values: look up, replace and map layers by path, and mask their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from compose.core.errors import ConfigError
from compose.core.function import Function
from compose.core.hooks import hooks
from compose.core.layer import Layer, as_layer
from compose.core.registry import add_word


def select(net: Layer, at: int | str | slice) -> Layer:
    """See `Layer.__getitem__`."""
    if isinstance(at, str):
        for key in at.split("/"):
            net = _child(net, key, at)
        return net
    wraps = getattr(net, "wraps", None)
    if wraps is not None:
        return net.but(**{wraps: select(getattr(net, wraps), at)})
    positions = getattr(net, "positions", None)
    if positions is None:
        raise ConfigError("a path, such as net['head/fc_0']; only sequences have positions", repr(at)).locate(net)
    return positions(at)


def replace(net: Layer, path: str, new: Any) -> Layer:
    """See `Layer.replace`."""
    key, _, rest = path.partition("/")
    if net.transparent and key not in dict(net.children()):
        return net.with_children((replace(net.children()[0][1], path, new),))
    old = _child(net, key, path)
    replacement = replace(old, rest, new) if rest else as_layer(new)
    if not rest and replacement.key_name is None and old.key_name is not None:
        replacement = named(old.key_name, replacement)
    children = tuple(replacement if k == key else child for k, child in net.children())
    return keep_keys(net, net.with_children(children))


def map_layers(net: Layer, fn: Callable[[str, Layer], Any], path: str = "") -> Layer:
    """See `Layer.map`."""
    old = net.children()
    if old:
        new = tuple(
            map_layers(child, fn, path if net.transparent else f"{path}/{key}".strip("/")) for key, child in old
        )
        if any(a is not b for a, (_, b) in zip(new, old)):
            net = keep_keys(net, net.with_children(new))
    return as_layer(fn(path, net))


def named(name: str, layer: Any) -> Layer:
    """The layer with a name: the key of its parameters, and how `net[name]` finds it.

    Shapes: those of the layer.
    """
    layer = as_layer(layer)
    inner = getattr(layer, "wraps", None)
    return layer.but(**{inner: named(name, getattr(layer, inner))}) if inner else layer.but(name=name)


named.builds_layers = True  # pyright: ignore[reportFunctionMemberAccess]
add_word("named", named)


def keep_keys(before: Layer, after: Layer) -> Layer:
    """`after`, its layers named if they would otherwise lose the keys they had in `before`."""
    pairs = list(zip(before.children(), after.children(), strict=True))
    if all(a == b for (a, _), (b, _) in pairs):
        return after
    kept = tuple(
        named(key, child) if now != key and getattr(child, "kind", "") == old.kind and holds(child) else child
        for (key, old), (now, child) in pairs
    )
    return after.with_children(kept)


def holds(layer: Layer) -> bool:
    """Whether the key of a layer matters: functions have neither parameters nor random draws."""
    return not isinstance(layer, Function)


def trainable(net: Layer, params) -> Any:
    """See `Layer.trainable`."""

    def mask(layer: Layer, tree, on: bool):
        rule = getattr(layer, "trains", None)
        if rule is not None:
            mask_of_layer = rule(tree, on)
            if mask_of_layer is not None:
                return mask_of_layer
        inner = dict(layer.children())
        if len(inner) == 1 and layer.transparent:
            return mask(next(iter(inner.values())), tree, on)
        return {
            k: mask(inner[k], v, on) if k in inner and isinstance(v, dict) else jax.tree.map(lambda _: on, v)
            for k, v in tree.items()
        }

    return mask(net, params, True)


def _child(net: Layer, key: str, path: str) -> Layer:
    children = dict(net.children())
    if key not in children and net.transparent:
        return _child(next(iter(children.values())), key, path)
    if key not in children:
        raise ConfigError(f"one of the layers {', '.join(children) or '(none)'}", f"{key!r} in {path!r}").locate(net)
    return children[key]


hooks.select, hooks.replace, hooks.map, hooks.trainable = select, replace, map_layers, trainable
