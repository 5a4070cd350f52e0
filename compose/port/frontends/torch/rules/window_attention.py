"""Attention within windows: modules of torchvision, known by name; torchvision is not imported."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.registry import rule
from compose.port.ir.weights import View, linear
from compose.port.lowering.values import identity_axes


@rule("torchvision.models.swin_transformer.ShiftedWindowAttention")
def _window_attention(low, call, x):
    table = f"{call.path}.relative_position_bias_table"
    return _windows(low, call, x, "window_attention", {"scores/embedding": View(table)})


@rule("torchvision.models.swin_transformer.ShiftedWindowAttentionV2")
def _cosine_window_attention(low, call, x):
    heads = call.module.num_heads
    first, last = f"{call.path}.cpb_mlp.0", f"{call.path}.cpb_mlp.2"
    scores = {
        "scores/hidden_kernel": linear(f"{first}.weight"),
        "scores/hidden_bias": View(f"{first}.bias"),
        "scores/out_kernel": linear(f"{last}.weight"),
        "scores/log_scale": View(f"{call.path}.logit_scale", shape=(heads,)),
    }
    return _windows(low, call, x, "cosine_window_attention", scores)


def _windows(low, call, x, name: str, scores: dict[str, View]):
    module = call.module
    (window, other), (shift, same) = module.window_size, module.shift_size
    if window != other or shift != same:
        raise PortError(f"square windows, got {module.window_size} shifted by {module.shift_size}")
    bias = module.qkv.bias is not None
    if (module.proj.bias is not None) != bias:
        raise PortError("window attention with a bias on all projections or none")
    layer = word(name)(module.num_heads, window, shift, bias=bias, dropout=float(module.attention_dropout))
    x = low.as_source(x)
    views = _stacked_projections(module.qkv, f"{call.path}.qkv", f"{call.path}.proj") | scores
    if bias and name == "cosine_window_attention":
        low.leave_unread(views.pop("key_bias"))  # it is kept, and set to zero in every call
    weights = {f"attention/{k}": view for k, view in views.items()}
    y = low.emit(layer, x, shape=x.shape, weights=weights)
    return low.emit(word("dropout")(module.dropout), y, shape=x.shape) if module.dropout else y


@rule("torchvision.models.maxvit.RelativePositionalMultiHeadAttention")
def _relative_attention(low, call, x):
    """Attention within groups: the axes of groups are merged into the batch."""
    module = call.module
    layer = word("multi_head_attention")(
        module.n_heads, scale=module.scale_factor, scores=word("window_bias")(module.size)
    )
    x = low.as_source(x)
    batch, groups, pixels, n = x.shape
    joined = (batch * groups, pixels, n)
    views = _stacked_projections(module.to_qkv, f"{call.path}.to_qkv", f"{call.path}.merge")
    views["scores/embedding"] = View(f"{call.path}.relative_position_bias_table")
    y = low.emit(word("reshape")(-1, pixels, n, batch=False), x, shape=joined, axes=identity_axes(3))
    y = low.emit(layer, y, shape=joined, weights=views)
    return low.emit(word("reshape")(-1, groups, pixels, n, batch=False), y, shape=x.shape, axes=identity_axes(4))


def _stacked_projections(qkv: Any, qkv_name: str, out_name: str) -> dict[str, View]:
    """The parameters of attention with one matrix for queries, keys and values."""
    n = qkv.out_features // 3
    made = {"out_kernel": linear(f"{out_name}.weight")}
    for i, name in enumerate(("query", "key", "value")):
        rows = (i * n, (i + 1) * n)
        made[f"{name}_kernel"] = linear(f"{qkv_name}.weight", rows)
        if qkv.bias is not None:
            made[f"{name}_bias"] = View(f"{qkv_name}.bias", rows=rows)
    if qkv.bias is not None:
        made["out_bias"] = View(f"{out_name}.bias")
    return made
