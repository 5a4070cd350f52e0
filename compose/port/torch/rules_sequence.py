"""Recurrent layers and attention."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.lowering.values import Pending, Value, Weight
from compose.port.rules import rule, rules
from compose.port.weights import Take


@rules("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def _recurrent(low, node, x, first, weights, has_biases, layers, rate, train, both, batch_first):
    name = str(node.target).split(".")[1]
    for state in first if isinstance(first, (list, tuple)) else [first]:
        if not isinstance(state, np.ndarray) or np.any(state):
            raise PortError(f"{name} from an initial state of zeros; here a carry is an input: lstm(...)(x, carry)")
    kind = name.split("_")[0]
    options: dict[str, Any] = {} if kind == "gru" else {"recurrent_bias": has_biases}
    if not has_biases:
        options |= {"bias": False} | ({"recurrent_bias": False} if kind == "gru" else {})
    if name == "rnn_relu":
        options["activation"] = word("relu")
    axes = (0, 1, 2) if batch_first else (1, 0, 2)
    x = low.moved(x, axes)
    each = 4 if has_biases else 2
    size = weights[1].shape[1]
    rows = iter([weights[i : i + each] for i in range(0, len(weights), each)])
    for i in range(layers):
        cell = word(kind)(size, **options)
        shape = (*x.shape[:2], size * (2 if both else 1))
        if both:
            takes = {f"{way}/{k}": t for way in ("forward", "backward") for k, t in _weights(next(rows)).items()}
            x = low.emit(word("bidirectional")(cell), x, shape=shape, weights=takes)
        else:
            x = low.emit(cell, x, shape=shape, weights=_weights(next(rows)))
        if rate and i < layers - 1:
            x = low.emit(word("dropout")(rate), x, shape=x.shape)
    return x, Final(low, x, size, both, layers), None


def _weights(row: list[Weight]) -> dict[str, Take]:
    names = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
    return {n: replace(w.take, axes=(1, 0)) if n.endswith("kernel") else w.take for n, w in zip(names, row)}


class Final(Pending):
    """torch's `h_n`, of which the last layer's states can be read from its outputs."""

    def __init__(self, low: Any, x: Value, size: int, both: bool, layers: int):
        self.low, self.x, self.size, self.both, self.layers = low, x, size, both, layers

    def select(self, index: int) -> Value:
        """The state of one layer and way, `h_n[index]`."""
        ways = 2 if self.both else 1
        index = index % (self.layers * ways)
        if index < (self.layers - 1) * ways:
            raise PortError("the final state of the last layer only; split the layers to read the others'")
        text = ":, -1" if not self.both else (f":, -1, :{self.size}" if index % 2 == 0 else f":, 0, {self.size}:")
        batch = self.x.shape[self.x.axes[0]]
        return self.low.emit(word("at")(text), self.x, shape=(batch, self.size), axes=(0, 1))


@rule("aten.scaled_dot_product_attention")
def _attention(low, node, q, k, v, mask=None, rate=0.0, causal=False, scale=None, enable_gqa=False):
    shape = low.shape
    moved = [low.moved(t, (0, 2, 1, 3)) for t in (q, k, v)]
    options: dict[str, Any] = {"causal": True} if causal else {}
    if mask is not None:
        raise PortError("attention without a mask tensor, or causal; masks go in as inputs of multi_head_attention")
    if scale is not None:
        options["scale"] = scale
    return low.emit(word("scaled_dot_product_attention")(**options), *moved, shape=shape, axes=(0, 2, 1, 3))


@rule(torch.nn.MultiheadAttention, outputs=lambda module, query, **rest: (torch.empty_like(query), None))
def _multi_head(low, call, *tensors):
    module = call.module
    fixed = [t.array if isinstance(t, Weight) and not t.trained else t for t in tensors]
    given = dict(zip(call.tensors, fixed))
    for name in ("key_padding_mask", "attn_mask"):
        if given.get(name) is not None and not isinstance(given[name], np.ndarray):
            raise PortError(f"multi-head attention without {name} from data")
    causal = _is_causal(call.options.get("attn_mask"), given.get("attn_mask"))
    if module.bias_k is not None or module.add_zero_attn:
        raise PortError("multi-head attention without add_bias_kv and add_zero_attn")
    axes = (0, 1, 2) if module.batch_first else (1, 0, 2)
    q, k, v = (low.moved(given[n], axes) for n in ("query", "key", "value"))
    inputs = [q] if q is k is v or q == k == v else [q, k] if k == v else [q, k, v]
    layer = word("multi_head_attention")(
        module.num_heads, causal=causal, dropout=float(module.dropout), bias=module.in_proj_bias is not None,
        out_bias=module.out_proj.bias is not None,
    )  # fmt: skip
    out = low.emit(layer, *inputs, shape=q.shape, axes=axes, weights=_projections(module, call.path))
    return out, None


def _projections(module: Any, path: str) -> dict[str, Any]:
    prefix = f"{path}." if path else ""
    size = module.embed_dim
    made: dict[str, Any] = {}
    for i, name in enumerate(("query", "key", "value")):
        rows = (i * size, (i + 1) * size)
        if module.in_proj_weight is not None:
            made[f"{name}_kernel"] = Take(f"{prefix}in_proj_weight", rows=rows, axes=(1, 0), note="OI→IO")
        else:
            made[f"{name}_kernel"] = Take(f"{prefix}{name[0]}_proj_weight", axes=(1, 0), note="OI→IO")
        if module.in_proj_bias is not None:
            made[f"{name}_bias"] = Take(f"{prefix}in_proj_bias", rows=rows)
    made["out_kernel"] = Take(f"{prefix}out_proj.weight", axes=(1, 0), note="OI→IO")
    if module.out_proj.bias is not None:
        made["out_bias"] = Take(f"{prefix}out_proj.bias")
    return made


def _is_causal(option: Any, mask: Any) -> bool:
    if mask is None:
        return False
    hidden = mask if mask.dtype == bool else np.isneginf(mask)
    if hidden.ndim == 2 and np.array_equal(hidden, np.triu(np.ones_like(hidden), 1)):
        return True
    raise PortError("a causal mask or none, got another constant mask")
