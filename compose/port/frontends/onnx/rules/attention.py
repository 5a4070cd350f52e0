"""Attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.rules.shape import reshaped
from compose.port.lowering.values import identity_axes


@rule("onnx.compose.Attention")
def _attention(low, node, q, k, v):
    moved = [low.moved(low.value(t), (0, 2, 1, 3)) for t in (q, k, v)]
    options: dict[str, Any] = {"causal": True} if node.get("causal") else {}
    if node.get("scale") is not None and not np.isclose(node.get("scale"), q.shape[-1] ** -0.5, rtol=1e-12):
        options["scale"] = node.get("scale")
    layer = word("scaled_dot_product_attention")
    return low.emit(layer(**options) if options else layer, *moved, shape=low.shape, axes=(0, 2, 1, 3))


_ATTENTION = {"q_num_heads", "kv_num_heads", "scale", "is_causal", "softmax_precision", "qk_matmul_output_mode"}


@rule("onnx.Attention")
def _whole_attention(low, node, q, k, v, mask=None, *past):
    unread = sorted(set(node.attributes) - _ATTENTION)
    if mask is not None or any(p is not None for p in past) or any(node.get(name) for name in unread):
        raise PortError(f"attention without a mask from data, a cache and {', '.join(unread) or 'softcap'}")
    if any(name in low.graph.outputs or low.graph.readers(name) for name in node.outputs[1:] if name):
        raise PortError("attention of which nothing but the result is read, got its cache or scores read too")
    q, k, v = map(low.as_value, (q, k, v))
    heads, groups = node.get("q_num_heads"), node.get("kv_num_heads")
    if q.ndim == 3:
        parts = zip((q, k, v), (heads, groups, groups))
        q, k, v = (reshaped(low, t, (*t.shape[:2], n, t.shape[2] // n)) for t, n in parts)
        options: dict[str, Any] = {"causal": True} if node.get("is_causal", 0) else {}
        options |= {"scale": node.get("scale")} if node.get("scale") is not None else {}
        axes = identity_axes(4)
        moved = [low.moved(t, axes) for t in (q, k, v)]
        made = low.emit(
            word("scaled_dot_product_attention")(**options), *moved, shape=(*q.shape[:3], v.shape[3]), axes=axes
        )
        return reshaped(low, made, low.shape)
    inner = node.but(attributes={"causal": bool(node.get("is_causal", 0)), "scale": node.get("scale")})
    return _attention(low, inner, q, k, v)
