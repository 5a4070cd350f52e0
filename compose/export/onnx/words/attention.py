"""Attention as ONNX's own where nothing is masked but what comes later; else as the operations it runs."""

from __future__ import annotations

import numpy as np

from compose.combinators.branch import identity
from compose.export.errors import ExportError
from compose.export.onnx.registry import writes
from compose.layers.attention.dot_product import scaled_dot_product_attention, split_attention
from compose.layers.attention.multi_head import multi_head_attention


@writes(multi_head_attention)
def multi_head(writer, layer, p, s, x):
    if layer.cache is not None:
        raise ExportError("a layer whose state stays the same", f"cache={layer.cache}", "export it without cache")
    query, key, value, mask, alone = split_attention(x)
    mask = writer.mask if mask is None and alone else mask
    plain = layer.scores is identity and layer.window is None and not layer.return_weights and mask is None
    plain = plain and not layer.gate
    if not plain or not native(writer, query) or (layer.causal and query.shape[1] != key.shape[1]):
        return NotImplemented
    size, value_size = layer.sizes(query.shape[-1])
    q, k, v = (
        _projected(writer, layer, p, name, part) for name, part in (("query", query), ("key", key), ("value", value))
    )
    batch, time = query.shape[:2]
    options = {"is_causal": int(layer.causal), "scale": layer.scale}
    if layer.rotary is None:
        heads = {"q_num_heads": layer.heads, "kv_num_heads": layer.groups}
        shape = (batch, time, layer.heads * value_size)
        y = writer.node("Attention", q, k, v, shape=shape, **heads, **options)
    else:
        q, k, v = (
            writer.reshape(a, (*a.shape[:2], n, m))
            for a, n, m in ((q, layer.heads, size), (k, layer.groups, size), (v, layer.groups, value_size))
        )
        q, k = (writer.inside("rotary", layer.rotary, p, a) for a in (q, k))
        q, k, v = (writer.transpose(a, (0, 2, 1, 3)) for a in (q, k, v))
        y = writer.node("Attention", q, k, v, shape=(batch, layer.heads, time, value_size), **options)
        y = writer.reshape(writer.transpose(y, (0, 2, 1, 3)), (batch, time, layer.heads * value_size))
    return linear(writer, y, p["out_kernel"], p["out_bias"] if layer.out_bias else None)


def _projected(writer, layer, p, name: str, x):
    biased = layer.bias and (layer.key_bias or name != "key")
    return linear(writer, x, p[f"{name}_kernel"], p[f"{name}_bias"] if biased else None)


def linear(writer, x, kernel, bias):
    y = writer.node("MatMul", x, kernel, shape=(*x.shape[:-1], kernel.shape[-1]))
    return y if bias is None else writer.node("Add", y, bias)


def native(writer, x) -> bool:
    """Whether the opset has `Attention`, for numbers that onnxruntime runs it with."""
    return writer.graph.opset >= 23 and np.dtype(x.dtype).name in ("float32", "float16")


@writes(scaled_dot_product_attention)
def dot_product(writer, layer, p, s, x):
    options = dict(layer.options)
    if len(x) != 3 or not native(writer, x[0]):
        return NotImplemented
    q, k, v = (writer.transpose(a, (0, 2, 1, 3)) for a in x)
    if options.get("causal") and q.shape[2] != k.shape[2]:
        return NotImplemented
    y = writer.node(
        "Attention", q, k, v, shape=(*q.shape[:3], v.shape[3]), is_causal=int(options.get("causal", False)),
        scale=options.get("scale"),
    )  # fmt: skip
    return writer.transpose(y, (0, 2, 1, 3))
