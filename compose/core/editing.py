"""Editing as values: look up, exchange, map, and masks by path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from compose.core.errors import ConfigError
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
    made = replace(old, rest, new) if rest else as_layer(new)
    if not rest and made.key_name is None and old.key_name is not None:
        made = named(old.key_name, made)
    children = tuple(made if k == key else child for k, child in net.children())
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
    """The layer under a name: the key of its parameters, and the word to find it by.

    Shapes: those of the layer.
    """
    made = as_layer(layer)
    inner = getattr(made, "wraps", None)
    return made.but(**{inner: named(name, getattr(made, inner))}) if inner else made.but(name=name)


named.builds_layers = True  # pyright: ignore[reportFunctionMemberAccess]
add_word("named", named)


def keep_keys(before: Layer, after: Layer) -> Layer:
    """`after` with names where its layers would otherwise have lost the keys they had in `before`."""
    pairs = list(zip(before.children(), after.children(), strict=True))
    if all(a == b for (a, _), (b, _) in pairs):
        return after
    kept = tuple(
        named(key, child) if now != key and getattr(child, "kind", "") == old.kind and holds(child) else child
        for (key, old), (now, child) in pairs
    )
    return after.with_children(kept)


def holds(layer: Layer) -> bool:
    """Whether the key of a layer matters: functions have neither parameters nor randomness."""
    from compose.core.function import Function

    return not isinstance(layer, Function)


def trainable(net: Layer, params) -> Any:
    """See `Layer.trainable`."""

    def mask(layer: Layer, tree, on: bool):
        rule = getattr(layer, "trains", None)
        if rule is not None:
            on_or_tree = rule(tree, on)
            if on_or_tree is not None:
                return on_or_tree
        inner = dict(layer.children())
        if len(inner) == 1 and layer.transparent:
            return mask(next(iter(inner.values())), tree, on)
        return {
            k: mask(inner[k], v, on) if k in inner and isinstance(v, dict) else jax.tree.map(lambda _: on, v)
            for k, v in tree.items()
        }

    return mask(net, params, True)


def _child(net: Layer, key: str, path: str) -> Layer:
    found = dict(net.children())
    if key not in found and net.transparent:
        return _child(next(iter(found.values())), key, path)
    if key not in found:
        raise ConfigError(f"one of the layers {', '.join(found) or '(none)'}", f"{key!r} in {path!r}").locate(net)
    return found[key]
