"""Attention layers of Flax, Linen and NNX."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.jax.rules.mask import boolean
from compose.port.frontends.jax.values import Value, Weight, Within


@rules("flax.linen.attention.MultiHeadDotProductAttention", "flax.nnx.nn.attention.MultiHeadAttention")
def _multi_head(low, module, inputs_q, inputs_k=None, inputs_v=None, *, inputs_kv=None, mask=None, is_causal=False,
                sow_weights=False, **rest):  # fmt: skip
    keys = inputs_kv if inputs_k is None else inputs_k
    keys = inputs_q if keys is None else keys
    values = keys if inputs_v is None else inputs_v
    if inputs_q.ndim != 3 or sow_weights or module.decode:
        raise PortError("attention on (batch, time, features), without decode and sow_weights")
    if module.normalize_qk:
        causal, masks = _masks(low, mask, is_causal, inputs_q.shape[1])
        return _normalized(low, module, (inputs_q, keys, values), causal, masks)
    n, (_, heads, size) = inputs_q.shape[-1], low.weights["query/kernel"].shape
    options: dict[str, Any] = {} if heads * size == n else {"head_size": size}
    groups, out = low.weights["key/kernel"].shape[1], low.weights["out/kernel"].shape[-1]
    options |= {} if groups == heads else {"kv_heads": groups}
    options |= {} if out == n else {"size": out}
    causal, masks = _masks(low, mask, is_causal, inputs_q.shape[1])
    options |= {"empty": "mean"} if masks else {}
    bias = "query/bias" in low.weights
    made = word("multi_head_attention")(
        heads, causal=causal, dropout=float(module.dropout_rate), bias=bias, out_bias=bias, **options
    )
    weights = {
        f"{name}_{kind}": _joined(low.weights[f"{name}/{kind}"], name)
        for name in ("query", "key", "value", "out")
        for kind in ("kernel", "bias")
        if f"{name}/{kind}" in low.weights
    }
    parts = (inputs_q,) if inputs_q is keys is values else (inputs_q, keys) if keys is values else None
    return low.emit(made, *(parts or (inputs_q, keys, values)), *masks, weights=weights)


def _normalized(low: Any, module: Any, given: tuple, causal: bool, masks: tuple) -> Any:
    """Attention whose queries and keys are normalized in each head."""
    if module.dropout_rate or masks:
        raise PortError("attention with normalize_qk of every key, without dropout")
    made = []
    for name, x in zip(("query", "key", "value"), given):
        with low.weights_under(f"{name}/"):
            heads, size = low.weights["kernel"].shape[1:]
            options = {"bias": "de"} if "bias" in low.weights else {}
            layer, shape = word("einsum")("abc,cde->abde", (heads, size), **options), (*x.shape[:2], heads, size)
            y = low.emit(layer, x, weights=low.weights, shape=shape)
        with low.weights_under(f"{name}_ln/"):
            norm = word("layer_norm")(epsilon=1e-6, bias=False)
            made.append(low.emit(norm, y, weights=low.weights, shape=shape) if low.weights else y)
    attention = word("scaled_dot_product_attention")
    shape = (*made[0].shape[:3], made[2].shape[3])
    y = low.emit(attention(causal=True) if causal else attention, *made, shape=shape)
    with low.weights_under("out/"):
        size = low.weights["kernel"].shape[-1]
        options = {"bias": "c"} if "bias" in low.weights else {}
        return low.emit(word("einsum")("abde,dec->abc", (size,), **options), y, weights=low.weights)


@rule("flax.linen.attention.SelfAttention")
def _self_attention(low, module, inputs_q, mask=None, deterministic=None, **rest):
    return _multi_head(low, module, inputs_q, mask=mask)


def _joined(weight: Weight, name: str) -> Any:
    """Merge the axes of heads and features."""
    if len(weight.shape) == 1:
        return weight
    shape = (-1, weight.shape[-1]) if name == "out" else (*weight.shape[:-2], -1)
    note = {"out": "HSO→(HS)O"}.get(name, "IHS→I(HS)") if len(weight.shape) == 3 else ""
    return replace(weight.view, shape=shape, note=note)


def _masks(low: Any, mask: Any, is_causal: bool, time: int) -> tuple[bool, tuple]:
    """Whether attention is causal, and the mask that depends on an input."""
    if isinstance(mask, Within):
        causal, _ = _masks(low, mask.constant, is_causal, time)
        return causal, (boolean(low, mask.value),)
    if mask is None or isinstance(mask, Value):
        return bool(is_causal), () if mask is None else (boolean(low, mask),)
    seen = np.asarray(mask).astype(bool)
    if seen.all():
        return bool(is_causal), ()
    if seen.shape[-2:] == (time, time) and (seen == np.tril(np.ones((time, time), bool))).all():
        return True, ()
    raise PortError("a causal mask or one that is an input, got another constant mask")
