"""Layers that models write out and that the lowered words no longer show.

They stay here because of what they read: parameters computed from others (`1 + weight`), matrices laid out
`(in, out)`, and angles that float32 rounded, whose buffer of frequencies is recomputed in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.fx import Node

from compose.core.registry import word
from compose.port.frontends.torch.rules.dense import dense
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.values import Value, Weight

_CASTS = ("to", "_to_copy", "type_as", "contiguous", "clone")


def idiom(low: Any, node: Any) -> Value | None:
    """The one layer that a node is the end of, emitted; None where it is but itself."""
    if _named(node, "mul"):
        return _near_one(low, node)
    if _named(node, "view"):
        return _flat_map(low, node)
    return _rotary(low, node) if _named(node, "add") else None


def _near_one(low: Any, node: Any) -> Value | None:
    """`x · (1 + weight)`, as Gemma's norms have it: `x + x · weight`."""
    for factor, rest in (node.args[:2], node.args[1::-1]):
        made, x = (low.env.get(n) if isinstance(n, Node) else None for n in (factor, rest))
        if isinstance(made, Derived) and made.name == "add" and isinstance(x, Value) and made.shape == x.shape[-1:]:
            weight = next((a for a in made.args if isinstance(a, Weight)), None)
            if weight is not None and any(a == 1 for a in made.args if isinstance(a, (int, float))):
                x = low.as_source(x)
                scaled = low.emit(word("learned_scale")(), x, weights={"scale": weight})
                return low.emit(word("add"), scaled, x)
    return None


def _flat_map(low: Any, node: Any) -> Value | None:
    """A linear map of all steps at once: `addmm` between a flattening and its undoing, as in GPT-2's `Conv1D`."""
    product = node.args[0]
    flat: Any = product.args[1] if _named(product, "addmm") and len(product.args) == 3 and not product.kwargs else None
    if not (_named(flat, "view") or _named(flat, "reshape")):
        return None
    bias, _, matrix = (low.env.get(n) for n in product.args)
    x = low.env.get(flat.args[0])
    if not isinstance(x, Value) or not (isinstance(bias, Weight) and isinstance(matrix, Weight)):
        return None
    alike = low.shape[:-1] == x.shape[:-1] and matrix.shape == (x.shape[-1], low.shape[-1])
    return dense(low, x, matrix, bias) if alike and len(bias.shape) == 1 else None


def _rotary(low: Any, node: Any) -> Value | None:
    """`x · cos + turned(x) · sin`, of `x (batch, heads, time, n)`."""
    a, b = node.args[:2]
    if not (_named(a, "mul") and _named(b, "mul") and len(node.args) == 2 and not node.kwargs):
        return None
    (x, cos), (turned, sin) = a.args[:2], b.args[:2]
    value, cosines, sines = (low.env.get(n) if isinstance(n, Node) else None for n in (x, cos, sin))
    if not isinstance(value, Value) or not _halves_turned(turned, x) or value.ndim != 4:
        return None
    if not isinstance(cosines, np.ndarray) or not isinstance(sines, np.ndarray):
        return None
    time, n = value.shape[2:]
    base = _base(cosines, sines, time, n)
    if base is None:
        return None
    low.record_exact(cos, 1 / base ** (np.arange(0, n, 2) / n))
    layer = word("rotary")() if base == 10000 else word("rotary")(base=base)
    return low.emit(layer, low.moved(value, (0, 2, 1, 3)), shape=value.shape)


def _halves_turned(node: Any, x: Any) -> bool:
    """Whether a node is the second half of x, negative, before its first."""
    if not _named(node, "cat") or len(node.args[0]) != 2 or node.args[1] % 4 != 3:
        return False
    minus, first = node.args[0]
    n = x.meta["val"].shape[-1] if isinstance(x, Node) else 0
    if not _named(minus, "neg") or not all(_named(part, "slice") for part in (minus.args[0], first)):
        return False
    second = minus.args[0]
    bounds = [(part.args[0] is x, part.args[1] % 4, part.args[2], min(part.args[3], n)) for part in (second, first)]
    return bounds == [(True, 3, n // 2, n), (True, 3, 0, n // 2)]


def _base(cosines: np.ndarray, sines: np.ndarray, time: int, n: int) -> float | None:
    """The base of the wavelengths that the angles have, which float32 may have rounded."""
    if time < 2 or n < 4 or any(a.size != time * n or a.shape[-2:] != (time, n) for a in (cosines, sines)):
        return None
    cosines, sines = cosines.reshape(time, n), sines.reshape(time, n)
    angles = np.arctan2(sines[1], cosines[1])
    if not (angles[: n // 2] > 0).all():
        return None
    base = float(f"{angles[1] ** (-n / 2):.6g}")
    wanted = np.arange(time)[:, None] * base ** (np.arange(0, n, 2) / -n)
    wanted = np.concatenate((wanted, wanted), -1)
    return (
        base
        if np.allclose(cosines, np.cos(wanted), atol=1e-5) and np.allclose(sines, np.sin(wanted), atol=1e-5)
        else None
    )


def ungrouped(low: Any, node: Any) -> Value | None:
    """The heads of keys or values before each was repeated for a group of queries."""
    node = _plain(node)
    wide: Any = _plain(node.args[0]) if _named(node, "reshape") or _named(node, "view") else None
    one: Any = _plain(wide.args[0]) if _named(wide, "expand") else None
    if not _named(one, "unsqueeze") or one.args[1] != 2:
        return None
    inner = one.args[0]
    while _named(inner, "slice") and low.env[inner] is low.env[inner.args[0]]:
        inner = inner.args[0]
    value = low.env[inner]
    after, groups = node.meta["val"].shape, inner.meta["val"].shape
    alike = len(after) == len(groups) == 4 and after[1] % groups[1] == 0 and after[2:] == groups[2:]
    return value if isinstance(value, Value) and alike else None


def _plain(node: Any) -> Any:
    """A node before its casts to another precision."""
    while any(_named(node, cast) for cast in _CASTS):
        before, after = node.args[0].meta["val"].dtype, node.meta["val"].dtype
        if not (before.is_floating_point and after.is_floating_point):
            break
        node = node.args[0]
    return node


def _named(node: Any, name: str) -> bool:
    return isinstance(node, Node) and str(node.target).startswith(f"aten.{name}.")
