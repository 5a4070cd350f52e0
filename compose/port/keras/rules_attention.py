"""Attention layers of Keras."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules


@rule("keras.layers.MultiHeadAttention")
def _multi_head(walk, layer, query, value, key=None, use_causal_mask=False, return_attention_scores=False, **masks):
    rank = len(layer._build_shapes_dict["query_shape"])
    if layer._attention_axes not in (None, (1,)) or rank != 3:
        raise PortError(f"attention over the middle axis of three, got attention_axes={layer._attention_axes}")
    options: dict[str, Any] = {"head_size": layer.key_dim}
    if layer.value_dim != layer.key_dim:
        options["value_size"] = layer.value_dim
    return _heads(walk, layer, layer.num_heads, options, (query, value, key), use_causal_mask,
                  return_attention_scores, masks)  # fmt: skip


@rules("keras.layers.GroupQueryAttention", "keras.layers.GroupedQueryAttention")
def _grouped(walk, layer, query, value, key=None, use_causal_mask=False, return_attention_scores=False, **masks):
    options = {"head_size": layer.head_dim, "kv_heads": layer.num_key_value_heads}
    return _heads(walk, layer, layer.num_query_heads, options, (query, value, key), use_causal_mask,
                  return_attention_scores, masks)  # fmt: skip


def _heads(walk, layer, heads, options, parts, causal, scores, masks) -> Any:
    query, value, key = parts
    if any(getattr(layer, name, None) for name in ("_use_gate", "use_gate", "_sliding_window", "sliding_window")):
        raise PortError("attention without use_gate and sliding_window")
    mask = _attention_mask(masks)
    n = layer._build_shapes_dict["query_shape"][-1]
    if options["head_size"] * heads == n:
        del options["head_size"]
    size = (getattr(layer, "_output_shape", None) or (n,))[-1]
    if size != n:
        options["size"] = size
    if causal:
        options["causal"] = True
    if scores:
        options["return_weights"] = True
    made = word("multi_head_attention")(
        heads, dropout=float(layer.dropout), bias=layer.use_bias, out_bias=layer.use_bias, **options
    )
    weights = {}
    for name in ("query", "key", "value", "output"):
        dense = getattr(layer, f"_{name}_dense")
        ours, kernel = "out" if name == "output" else name, dense.kernel
        shape = (-1, kernel.shape[-1]) if name == "output" else (kernel.shape[0], -1)
        weights[f"{ours}_kernel"] = walk.take(
            kernel, shape=shape, note="HSO→(HS)O" if name == "output" else "IHS→I(HS)"
        )
        if dense.bias is not None:
            weights[f"{ours}_bias"] = walk.take(dense.bias, shape=(-1,))
    y = walk.emit(made, *_inputs(query, value, key), *mask, weights=weights)
    return [walk.emit(word("at")(str(i)), y) for i in (0, 1)] if scores else y


@rules("keras.layers.Attention", "keras.layers.AdditiveAttention")
def _scored(walk, layer, inputs, mask=None, return_attention_scores=False, use_causal_mask=False):
    query, value, key = (*inputs, None)[:3]
    if getattr(layer, "score_mode", "dot") != "dot":
        raise PortError(f'score_mode="dot", got {layer.score_mode!r}')
    if mask is not None and any(m is not None for m in mask):
        raise PortError("attention without a mask; here the lengths or mask of the keys come last in its inputs")
    name = "dot_attention" if type(layer).__name__ == "Attention" else "additive_attention"
    made = word(name)(
        causal=use_causal_mask, dropout=float(layer.dropout), return_weights=return_attention_scores,
        scale=layer.use_scale,
    )  # fmt: skip
    first = value if key is None else key
    inputs = (query, first) if first == value else (query, first, value)
    y = walk.emit(made, *inputs, weights={"scale": layer.scale if layer.use_scale else None})
    return [walk.emit(word("at")(str(i)), y) for i in (0, 1)] if return_attention_scores else y


def _inputs(query: Any, value: Any, key: Any) -> tuple:
    key = value if key is None else key
    return (query,) if query == key == value else (query, value) if key == value else (query, key, value)


def _attention_mask(masks: dict[str, Any]) -> tuple:
    given = {k: m for k, m in masks.items() if m is not None}
    if set(given) - {"attention_mask"}:
        raise PortError(f"attention_mask alone, got {', '.join(given)}; join them to one mask")
    return tuple(given.values())
