"""Locating an error in a network: the layer at a path, and the shapes up to there."""

from __future__ import annotations

from typing import Any

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import Plan


def locate(error: LayerError, net: Layer, plan: Plan, path: tuple[str, ...]) -> LayerError:
    """Add the layer of `net` at `path` to the error. The layers in `plan` may be those of an equal network."""
    inner, walked, trail = net, (), [("input", plan.x)]
    for key in path:
        plan, inner = _unwrap(plan, inner)
        parts = dict(plan.parts)
        if key not in parts:
            break
        before = list(parts)[: list(parts).index(key)]
        trail += [("/".join((*walked, k)), parts[k].out) for k in before]
        plan, walked = parts[key], (*walked, key)
        inner = dict(inner.children()).get(key, plan.layer)
    error.trail = error.trail or tuple(trail)
    return error.locate(_unwrap(plan, inner)[1] if inner.refers else inner, path=walked)


def _unwrap(plan: Plan, inner: Any) -> tuple[Plan, Any]:
    """The plan and the layer inside any wrappers, which add no key to the path."""
    while [key for key, _ in plan.parts] == [""]:
        plan = plan.parts[0][1]
        children = inner.children()
        inner = children[0][1] if inner.transparent and len(children) == 1 else plan.layer
    return plan, inner
