"""Attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.mask import unread
from compose.port.lowering.values import GraphValue


@rule("keras.layers.MultiHeadAttention")
def _multi_head(walk, layer, query, value, key=None, use_causal_mask=False, return_attention_scores=False, **masks):
    rank = len(layer._build_shapes_dict["query_shape"])
    axes = tuple(a % rank for a in layer._attention_axes or range(1, rank - 1))
    if len(getattr(layer, "_output_shape", None) or (1,)) > 1:
        raise PortError(f"attention whose output has one last axis, got output_shape={tuple(layer._output_shape)}")
    options: dict[str, Any] = {"head_size": layer.key_dim}
    if layer.value_dim != layer.key_dim:
        options["value_size"] = layer.value_dim
    given = (query, value, key)
    if rank == 3:
        return _heads(walk, layer, layer.num_heads, options, given, use_causal_mask, return_attention_scores, masks)
    if masks or use_causal_mask or return_attention_scores or len({v for v in given if v is not None}) > 1:
        raise PortError("attention over axes of an image to itself, without masks and without its scores")
    return _over_axes(walk, layer, query, axes, options)


def _over_axes(walk: Any, layer: Any, x: Any, axes: tuple[int, ...], options: dict[str, Any]) -> Any:
    """Self-attention over some axes; the others, except the last, are batch axes."""
    shape = layer._build_shapes_dict["query_shape"]
    rest = [i for i in range(1, len(shape) - 1) if i not in axes]
    order = [0, *rest, *axes, len(shape) - 1]
    if len(rest) > 1 or None in shape[1:]:
        raise PortError(f"attention over all axes but one, of known sizes, got {axes} of {shape}")
    moved = x if order == sorted(order) else walk.emit(word("permute")(*order), x)
    sizes = [shape[i] for i in order[1:]]
    if len(axes) > 1:
        moved = walk.emit(word("reshape")(*sizes[: len(rest)], -1, shape[-1]), moved)
    with walk.recorded() as ops:
        y = _heads(walk, layer, layer.num_heads, options, (moved, moved, None), False, False, {})
    for op in ops if rest else ():
        walk.replace_op(op, layer=word("time_distributed")(op.layer))
    if len(axes) > 1:
        y = walk.emit(word("reshape")(*sizes[:-1], -1), y)
    return y if order == sorted(order) else walk.emit(word("permute")(*map(int, np.argsort(order))), y)


@rules("keras.layers.GroupQueryAttention", "keras.layers.GroupedQueryAttention")
def _grouped(walk, layer, query, value, key=None, use_causal_mask=False, return_attention_scores=False, **masks):
    options = {"head_size": layer.head_dim, "kv_heads": layer.num_key_value_heads}
    return _heads(walk, layer, layer.num_query_heads, options, (query, value, key), use_causal_mask,
                  return_attention_scores, masks)  # fmt: skip


def _heads(walk, layer, heads, options, parts, causal, scores, masks) -> Any:
    query, value, key = parts
    found = lambda name: getattr(layer, name, None) or getattr(layer, f"_{name}", None)
    if window := found("sliding_window"):
        options["window"] = window - 1
    if found("use_gate"):
        options["gate"] = True
    mask, may_hide_all = _attention_mask(walk, layer, masks, scores)
    if may_hide_all:
        options["empty"] = "mean"
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
    for name in ("query", "key", "value", "output", *(("gate",) if "gate" in options else ())):
        dense = getattr(layer, f"_{name}_dense")
        ours, kernel = "out" if name == "output" else name, dense.kernel
        shape = (-1, kernel.shape[-1]) if name == "output" else (kernel.shape[0], -1)
        weights[f"{ours}_kernel"] = walk.view(
            kernel, shape=shape, note="HSO→(HS)O" if name == "output" else "IHS→I(HS)"
        )
        if dense.bias is not None:
            weights[f"{ours}_bias"] = walk.view(dense.bias, shape=(-1,))
    y = walk.emit(made, *_inputs(query, value, key), *mask, weights=weights)
    return [walk.emit(word("at")(str(i)), y) for i in (0, 1)] if scores else y


@rules("keras.layers.Attention", "keras.layers.AdditiveAttention")
def _scored(walk, layer, inputs, mask=None, return_attention_scores=False, use_causal_mask=False):
    query, value, key = (*inputs, None)[:3]
    if getattr(layer, "score_mode", "dot") != "dot":
        raise PortError(f'score_mode="dot", got {layer.score_mode!r}')
    of_query, of_value = (*(mask or ()), None, None)[:2]
    name = "dot_attention" if type(layer).__name__ == "Attention" else "additive_attention"
    made = word(name)(
        causal=use_causal_mask, dropout=float(layer.dropout), return_weights=return_attention_scores,
        scale=layer.use_scale,
    )  # fmt: skip
    first = value if key is None else key
    inputs = (query, first) if first == value else (query, first, value)
    hidden = () if of_value is None else (of_value,)
    y = walk.emit(made, *inputs, *hidden, weights={"scale": layer.scale if layer.use_scale else None})
    y, *scores = [walk.emit(word("at")(str(i)), y) for i in (0, 1)] if return_attention_scores else [y]
    if of_query is not None:
        y = walk.emit(word("multiply"), y, walk.emit(word("ops.expand_dims")(axis=-1), of_query))
    return [y, *scores] if scores else y


def _inputs(query: Any, value: Any, key: Any) -> tuple:
    key = value if key is None else key
    return (query,) if query == key == value else (query, value) if key == value else (query, key, value)


def _attention_mask(walk: Any, layer: Any, masks: dict[str, Any], scores: bool) -> tuple[tuple, bool]:
    """The one mask that Keras's up to four come to, as an input, or none; and whether a query's mean may be of all.

    A query that is padding gets zeros from Keras where it keeps the scores, else the mean of all values; where nothing
    reads it, it keeps its keys.
    """
    given = {k: m for k, m in masks.items() if m is not None}
    keys = [given[k] for k in ("value_mask", "key_mask") if k in given]
    of_query, made = given.get("query_mask"), None
    zeros = layer.dropout or scores
    if of_query is not None and not zeros:
        asked = walk.keywords(walk.node)["query_mask"]
        of_query = None if unread(walk, walk.node.outputs[0], asked) else of_query
    if keys:
        keys = keys[:1] if len(set(keys)) == 1 else [walk.emit(word("ops.logical_and"), *keys)]
        wide = of_query is not None or "attention_mask" in given
        made = walk.emit(word("ops.expand_dims")(axis=-2), *keys) if wide else keys[0]
    if of_query is not None:
        rows = walk.emit(word("ops.expand_dims")(axis=-1), of_query)
        made = rows if made is None else walk.emit(word("ops.logical_and"), rows, made)
    whole = given.get("attention_mask")
    if whole is not None:
        if len(walk.keywords(walk.node)["attention_mask"].shape) != 3:
            raise PortError("an attention_mask (batch, queries, keys)")
        made = whole if made is None else walk.emit(word("ops.logical_and"), whole, made)
    return () if made is None else (made,), not zeros and (of_query is not None or whole is not None)


@rule("keras.ops.DotProductAttention")
def _attention(walk, op, query, key, value, bias=None, mask=None, scale=None):
    if bias is not None or op.attn_logits_soft_cap is not None:
        raise PortError("attention without a bias on its scores and a cap")
    options: dict[str, Any] = {"causal": True} if op.is_causal else {}
    options |= {} if scale is None else {"scale": float(scale)}
    made = word("scaled_dot_product_attention")
    if mask is not None and not isinstance(mask, GraphValue):
        raise PortError("a mask that is a value; is_causal=True for the causal one")
    inputs = (query, key, value) if mask is None else (query, key, value, mask)
    return walk.emit(made(**options) if options else made, *inputs)
