"""Where in a network something went wrong: the layer at a path, and the shapes that led there."""

from __future__ import annotations

from typing import Any

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import Plan


def locate(error: LayerError, net: Layer, made: Plan, path: tuple[str, ...]) -> LayerError:
    """Name the layer at `path`, as it stands in `net`: an equal network's plan may be `made` elsewhere."""
    inner, walked, trail = net, (), [("input", made.x)]
    for key in path:
        made, inner = _held(made, inner)
        parts = dict(made.parts)
        if key not in parts:
            break
        before = list(parts)[: list(parts).index(key)]
        trail += [("/".join((*walked, k)), parts[k].out) for k in before]
        made, walked = parts[key], (*walked, key)
        inner = dict(inner.children()).get(key, made.layer)
    error.trail = error.trail or tuple(trail)
    return error.locate(_held(made, inner)[1] if inner.refers else inner, path=walked)


def _held(made: Plan, inner: Any) -> tuple[Plan, Any]:
    """Inside whatever adds no key to the path."""
    while [key for key, _ in made.parts] == [""]:
        made = made.parts[0][1]
        children = inner.children()
        inner = children[0][1] if inner.transparent and len(children) == 1 else made.layer
    return made, inner
