"""Cases of the attention layers."""

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from compose import additive_attention, dot_attention, multi_head_attention, scaled_dot_product_attention, tanh
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

KEYS = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0]], bool)
PAIRS = np.random.default_rng(0).random((2, 4, 5)) < 0.6
PAIRS[0, 2] = False  # a query that may attend to nothing
HEADS = np.random.default_rng(1).random((2, 2, 4, 5)) < 0.6
LENGTHS = np.array([3, 5])


def torch_mha(heads, pairs=None, weights=False):
    """torch's MultiheadAttention; its masks say True for what to ignore."""

    def reference(p, s, q, k=None, v=None, mask=None):
        k = q if k is None else k
        v = k if v is None else v
        if mask is None and k.dtype == torch.bool:
            k, v, mask = q, q, k
        elif v.dtype == torch.bool:
            v, mask = k, v
        bias = [p.get(f"{n}_bias") for n in ("query", "key", "value")]
        turn = lambda x: x.transpose(0, 1)
        padding, pairs_mask = None, pairs
        if mask is not None and mask.ndim == 2:
            padding = ~mask
        elif mask is not None:
            pairs_mask = ~mask.reshape(-1, *mask.shape[-2:])
        y, w = F.multi_head_attention_forward(
            turn(q), turn(k), turn(v), q.shape[-1], heads, None, None if bias[0] is None else torch.cat(bias),
            None, None, False, 0.0, p["out_kernel"].T, p.get("out_bias"), training=False,
            key_padding_mask=padding, attn_mask=pairs_mask, use_separate_proj_weight=True, need_weights=weights,
            q_proj_weight=p["query_kernel"].T, k_proj_weight=p["key_kernel"].T, v_proj_weight=p["value_kernel"].T,
            average_attn_weights=False,
        )  # fmt: skip
        return (turn(y), w) if weights else turn(y)

    return in_torch(reference, turned=False)


def torch_sdpa(heads, groups=None, causal=False, window=None):
    """torch's scaled_dot_product_attention between projections, for what MultiheadAttention has not."""

    def reference(p, s, q, k=None, mask=None):
        k = q if k is None else k
        if k.dtype == torch.bool or not k.is_floating_point():
            k, mask = q, k
        many = groups or heads
        queries, keys = q.shape[1], k.shape[1]
        split = lambda name, x, n: (x @ p[f"{name}_kernel"] + p[f"{name}_bias"]).unflatten(-1, (n, -1)).transpose(1, 2)
        see = torch.ones(queries, keys, dtype=torch.bool)
        far = torch.arange(keys) - torch.arange(queries)[:, None]
        see = see & (far <= 0) if causal else see
        see = see & (far.abs() <= window) if window is not None else see
        if mask is not None and mask.ndim == 1:
            mask = torch.arange(keys) < mask[:, None]
        if mask is not None:
            shaped = {2: lambda: mask[:, None, None], 3: lambda: mask[:, None], 4: lambda: mask}[mask.ndim]()
            see = see & shaped
        y = F.scaled_dot_product_attention(
            split("query", q, heads), split("key", k, many), split("value", k, many), see, enable_gqa=many != heads
        )
        return y.transpose(1, 2).flatten(2) @ p["out_kernel"] + p["out_bias"]

    return in_torch(reference, turned=False)


def torch_plain(causal):
    def reference(p, s, q, k, v):
        y = F.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (q, k, v)), is_causal=causal)
        return y.transpose(1, 2)

    return in_torch(reference, turned=False)


@partial(in_torch, turned=False)
def torch_capped(p, s, x):
    q, k, v = (
        (x @ p[f"{n}_kernel"] + p[f"{n}_bias"]).unflatten(-1, (2, -1)).transpose(1, 2)
        for n in ("query", "key", "value")
    )
    y = torch.tanh(q @ k.mT).softmax(-1) @ v
    return y.transpose(1, 2).flatten(2) @ p["out_kernel"] + p["out_bias"]


@partial(in_torch, turned=False)
def torch_gated(p, s, x, memory):
    q, k, v, gate = (
        (a @ p[f"{n}_kernel"] + p[f"{n}_bias"]).unflatten(-1, (2, -1)).transpose(1, 2)
        for n, a in {"query": x, "key": memory, "value": memory, "gate": x}.items()
    )
    y = F.scaled_dot_product_attention(q, k, v) * gate.sigmoid()
    return y.transpose(1, 2).flatten(2) @ p["out_kernel"] + p["out_bias"]


def torch_scores(score, causal=False):
    """Scores written out, a query that may attend to nothing gets zeros."""

    def reference(p, s, q, k, v=None, mask=None):
        v, mask = (k, v) if v is None or v.dtype == torch.bool else (v, mask)
        see = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool)
        see = see.tril() if causal else see
        see = see if mask is None else see & (mask[:, None] if mask.ndim == 2 else mask)
        weights = score(p, q[:, :, None], k[:, None]).masked_fill(~see, -torch.inf).softmax(-1)
        return torch.nan_to_num(weights, 0.0) @ v

    return in_torch(reference, turned=False)


X, MEMORY = (2, 5, 4), (2, 5, 4)
QUERY = (2, 4, 4)
CASES = [
    Case(multi_head_attention(2), (X,), torch_mha(2)),
    Case(multi_head_attention(2), (X, KEYS), torch_mha(2)),
    Case(multi_head_attention(2, return_weights=True), (QUERY, MEMORY, HEADS), torch_mha(2, weights=True)),
    Case(multi_head_attention(2), (QUERY, MEMORY, PAIRS), torch_sdpa(2)),
    Case(multi_head_attention(4, 3, kv_heads=2, causal=True), (X,), torch_sdpa(4, 2, causal=True)),
    Case(multi_head_attention(2, causal=True, window=1), (X,), torch_sdpa(2, causal=True, window=1)),
    Case(multi_head_attention(2, dropout=0.5), (X,), torch_mha(2)),
    Case(multi_head_attention(2, value_size=3, gate=True), (QUERY, MEMORY), torch_gated),
    Case(multi_head_attention(2, causal=True, cache=5), (X,), None),
    Case(scaled_dot_product_attention(causal=True), ((2, 5, 2, 3),) * 3, torch_plain(True)),
    Case(dot_attention(scale=True), (QUERY, MEMORY, PAIRS), torch_scores(lambda p, q, k: (q * k).sum(-1) * p["scale"])),
    Case(additive_attention(), (QUERY, MEMORY), torch_scores(lambda p, q, k: (q + k).tanh() @ p["scale"])),
]

OPTIONS = [
    Case(multi_head_attention(2, bias=False, out_bias=False), (X,), torch_mha(2)),
    Case(multi_head_attention(2), (QUERY, (2, 5, 3), (2, 5, 7)), torch_mha(2)),
    Case(multi_head_attention(2), (QUERY, MEMORY, KEYS), torch_mha(2)),
    Case(multi_head_attention(2), (QUERY, MEMORY, LENGTHS), torch_sdpa(2)),
    Case(multi_head_attention(2, causal=True), (X, KEYS), torch_sdpa(2, causal=True)),
    Case(multi_head_attention(2, 3, value_size=5, size=6), (X,), torch_sdpa(2)),
    Case(multi_head_attention(4, kv_heads=1), (X, LENGTHS), torch_sdpa(4, 1)),
    Case(multi_head_attention(2, window=1), (X,), torch_sdpa(2, window=1)),
    Case(scaled_dot_product_attention, ((2, 4, 2, 3), (2, 5, 2, 3), (2, 5, 2, 4)), torch_plain(False)),
    Case(dot_attention(), (QUERY, MEMORY, (2, 5, 3)), torch_scores(lambda p, q, k: (q * k).sum(-1))),
    Case(dot_attention(causal=True, dropout=0.5), (X, X), torch_scores(lambda p, q, k: (q * k).sum(-1), causal=True)),
    Case(additive_attention(scale=False), (QUERY, MEMORY, KEYS), torch_scores(lambda p, q, k: (q + k).tanh().sum(-1))),
    Case(multi_head_attention(2, scale=1.0, scores=tanh), (X,), torch_capped),
]
