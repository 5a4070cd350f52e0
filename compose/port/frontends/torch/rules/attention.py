"""Attention and its masks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import with_array
from compose.port.frontends.torch.passes.idioms import ungrouped
from compose.port.frontends.torch.registry import rule
from compose.port.frontends.torch.rules.mask import (
    Allowed,
    Hidden,
    added,
    boolean,
    both,
    fixed,
    four_axes,
    is_causal,
    shown,
)
from compose.port.ir.weights import Constant, View
from compose.port.lowering.values import Value, identity_axes


@rule("aten.scaled_dot_product_attention")
def _attention(low, node, q, k, v, mask=None, rate=0.0, causal=False, scale=None, enable_gqa=False):
    if rate:
        raise PortError("attention that drops weights in training only: dropout_p=p if self.training else 0.0")
    shape = low.shape
    if isinstance(mask, Allowed):
        plain = mask.known.all() or is_causal(added(mask.known, hides=False))
        causal, mask = (causal or not mask.known.all(), mask.by) if plain else (causal, mask.value())
    known = fixed(mask)
    if known is not None:
        known = added(known, hides=False)
        causal, mask = (True, None) if is_causal(known) else (causal, known if known.any() else None)
    shown = mask if isinstance(mask, Value) and boolean(_mask_node(node)) else None
    if shown is not None and q.ndim == 3:
        return _of_one_head(low, q, k, v, shown, causal, scale)
    if shown is not None and q.ndim != 4:
        raise PortError("a boolean mask for queries (batch, heads, time, features)")
    if q.ndim != 4 or (mask is not None and shown is None):
        if enable_gqa:
            raise PortError("grouped heads with a boolean mask or none")
        return _by_products(low, q, k, v, mask, causal, scale)
    usual = scale is None or math.isclose(scale, q.shape[-1] ** -0.5, rel_tol=1e-12)
    options = ({"causal": True} if causal else {}) | ({} if usual else {"scale": scale})
    groups = [ungrouped(low, n) for n in node.args[1:3]]
    k, v = (k, v) if None in groups else groups
    inputs = [low.moved(t, (0, 2, 1, 3)) for t in (q, k, v)]
    inputs += [] if shown is None else [low.key_mask(shown) or four_axes(low, shown)]
    return low.emit(word("scaled_dot_product_attention")(**options), *inputs, shape=shape, axes=(0, 2, 1, 3))


def _mask_node(node: Any) -> Any:
    return node.args[3] if len(node.args) > 3 else node.kwargs["attn_mask"]


def _of_one_head(low, q, k, v, mask: Value, causal: bool, scale: float | None):
    """Attention without an axis of heads, for a boolean mask that broadcasts to `(batch, queries, keys)`."""
    options = ({"causal": True} if causal else {}) | ({} if scale is None else {"scale": scale})
    parts = [low.as_source(t) for t in (q, k, v)]
    wide = lambda x, axis: low.emit(
        word("ops.expand_dims")(axis=axis), x, shape=(*x.shape[:axis], 1, *x.shape[axis:]), axes=identity_axes(4)
    )
    shown = low.as_source(mask)
    shown = wide(shown, 1) if shown.ndim == 3 else four_axes(low, shown)
    y = (*q.shape[:-1], 1, v.shape[-1])
    inputs = (*(wide(part, 2) for part in parts), shown)
    made = low.emit(word("scaled_dot_product_attention")(**options), *inputs, shape=y, axes=identity_axes(4))
    return low.emit(word("ops.squeeze")(axis=2), made, shape=low.shape, axes=identity_axes(3))


def _by_products(low, q, k, v, mask, causal: bool, scale: float | None):
    """`softmax(q @ kᵀ · scale + mask) @ v`, for a mask that is added to the scores."""
    q, k, v = (low.as_source(t) for t in (q, k, v))
    n = q.ndim
    axes, scores = identity_axes(n), (*q.shape[:-1], k.shape[-2])
    scaled = low.emit(word("scale")(by=q.shape[-1] ** -0.5 if scale is None else scale), q, shape=q.shape)
    turned = low.moved(k, (*range(n - 2), n - 1, n - 2)).but(axes=axes)
    s = low.emit(word("matmul"), scaled, turned, shape=scores, axes=axes)
    if causal:
        mask = added(np.tril(np.ones(scores[-2:], bool)), hides=False)
    if isinstance(mask, Value):
        s = low.emit(word("add"), s, low.as_source(mask), shape=scores, axes=axes)
    elif mask is not None:
        s = with_array(low, "add", s, mask)
    weights = low.emit(word("softmax"), s, shape=scores, axes=axes)
    return low.emit(word("matmul"), weights, v, axes=axes)


def _outputs(
    module, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    made = torch.empty_like(query)
    if not need_weights:
        return made, None
    batch, time = (0, 1) if module.batch_first else (1, 0)
    sizes = (query.shape[time], key.shape[time])
    heads = () if average_attn_weights else (module.num_heads,)
    return made, query.new_empty((query.shape[batch], *heads, *sizes))


@rule(torch.nn.MultiheadAttention, outputs=_outputs)
def _multi_head(low, call, *tensors):
    module, given = call.module, dict(zip(call.tensors, tensors))
    if any(len(x.shape) != 3 for x in tensors[:1]):
        raise PortError("sequences (batch, time, features), got one without the batch's axis; x[None] adds it")
    axes = (0, 1, 2) if module.batch_first else (1, 0, 2)
    parts = [given[n] for n in ("query", "key", "value")]
    moved = {part: low.moved(part, axes) for part in dict.fromkeys(parts)}
    q, k, v = (moved[part] for part in parts)
    inputs = [q] if q == k == v else [q, k] if k == v else [q, k, v]
    weights = _projections(module, call.path)
    masks, options = _masks(low, call, given, weights)
    reads_weights = low.reads(1)
    layer = word("multi_head_attention")(
        module.num_heads, dropout=float(module.dropout), bias=module.in_proj_bias is not None,
        out_bias=module.out_proj.bias is not None, return_weights=reads_weights, **options,
    )  # fmt: skip
    if not reads_weights:
        return low.emit(layer, *inputs, *masks, shape=q.shape, axes=axes, weights=weights), None
    pair = low.emit(layer, *inputs, *masks, shape=(), axes=(), weights=weights)
    y = low.emit(word("at")("0"), pair, shape=q.shape, axes=axes)
    shape = (q.shape[axes[0]], module.num_heads, q.shape[axes[1]], k.shape[axes[1]])
    found = low.emit(word("at")("1"), pair, shape=shape, axes=identity_axes(4))
    if call.options["average_attn_weights"]:
        found = low.emit(word("ops.mean")(axis=1), found, shape=(shape[0], *shape[2:]), axes=identity_axes(3))
    return y, found


def _masks(low, call, given: dict[str, Any], weights: dict[str, Any]) -> tuple[list[Value], dict[str, Any]]:
    """A list with the mask if it depends on data, and options for a constant one, which may be added to `weights`."""
    heads = call.module.num_heads
    masks: dict[str, Value] = {}
    options: dict[str, Any] = {}
    for name in ("key_padding_mask", "attn_mask"):
        mask = given.get(name)
        known = fixed(mask)
        if isinstance(mask, Hidden):
            masks[name] = shown(low, mask.by, heads, name == "key_padding_mask")
        elif isinstance(mask, Value):
            if not boolean(low.node.args[0][call.tensors.index(name)]):
                raise PortError(f"a boolean {name}, where it comes from data")
            masks[name] = shown(low, mask, heads, name == "key_padding_mask")
        elif known is not None:
            term = added(known, hides=True)
            if is_causal(term) and name == "attn_mask":
                options["causal"] = True
            elif term.any():
                term = term.reshape(-1, 1, 1, term.shape[-1]) if name == "key_padding_mask" else term
                shape = (1,) * (4 - term.ndim) + term.shape
                if shape[0] != 1 or "scores" in options:
                    raise PortError(f"a constant {name} that is the same for each example")
                options["scores"] = word("frozen")(word("learned_bias")(shape))
                weights["scores/bias"] = Constant(array=term.reshape(shape))
        elif mask is not None:
            raise PortError(f"{name} that is an input or a constant")
    if len(masks) == 2:
        return [both(low, masks["key_padding_mask"], masks["attn_mask"])], options
    return list(masks.values()), options


def _projections(module: Any, path: str) -> dict[str, Any]:
    prefix = f"{path}." if path else ""
    size = module.embed_dim
    made: dict[str, Any] = {}
    for i, name in enumerate(("query", "key", "value")):
        rows = (i * size, (i + 1) * size)
        if module.in_proj_weight is not None:
            made[f"{name}_kernel"] = View(f"{prefix}in_proj_weight", rows=rows, axes=(1, 0), note="OI→IO")
        else:
            made[f"{name}_kernel"] = View(f"{prefix}{name[0]}_proj_weight", axes=(1, 0), note="OI→IO")
        if module.in_proj_bias is not None:
            made[f"{name}_bias"] = View(f"{prefix}in_proj_bias", rows=rows)
    made["out_kernel"] = View(f"{prefix}out_proj.weight", axes=(1, 0), note="OI→IO")
    if module.out_proj.bias is not None:
        made["out_bias"] = View(f"{prefix}out_proj.bias")
    return made
