"""Attention of any kind, and what adds to its scores."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


def allowed(mask, queries, keys, causal, window, device):
    """Where a query may attend, to broadcast to `(batch, heads, queries, keys)`; None if everywhere."""
    if mask is not None:
        if mask.ndim == 1:
            mask = torch.arange(keys, device=device) < mask[:, None]
        mask = mask[:, None, None] if mask.ndim == 2 else mask[:, None] if mask.ndim == 3 else mask
    if not causal and window is None:
        return mask
    ahead = torch.arange(keys, device=device) - torch.arange(queries, device=device)[:, None]
    near = ahead <= 0 if causal else torch.ones_like(ahead, dtype=torch.bool)
    if window is not None:
        near = near & (ahead.abs() <= window)
    return near if mask is None else mask & near


def attention_weights(scores, mask, empty_rows):
    """The softmax of scores; with `empty_rows`, a query that may attend nowhere gets zeros."""
    if mask is None:
        return scores.softmax(-1)
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return weights.masked_fill(~mask, 0) if empty_rows else weights


def causal_mask(x):
    """True where a step of `(batch, time, n)` would see a later one."""
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)


class MultiHeadAttention(nn.Module):
    """Multi-head attention of `(batch, time, n)`, with grouped heads, windows, rotary embedding and masks."""

    def __init__(
        self,
        heads,
        query,
        key,
        value,
        out,
        groups=None,
        causal=False,
        window=None,
        scale=None,
        dropout=0.0,
        empty="zeros",
        return_weights=False,
        rotary=None,
        scores=None,
    ):
        super().__init__()
        self.heads, self.groups, self.causal, self.window = heads, groups or heads, causal, window
        self.query, self.key, self.value, self.out = query, key, value, out
        self.scale, self.dropout, self.empty, self.return_weights = scale, dropout, empty, return_weights
        self.rotary, self.scores = rotary, scores

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q = self.query(query).unflatten(-1, (self.heads, -1))
        k = self.key(key).unflatten(-1, (self.groups, -1))
        v = self.value(value).unflatten(-1, (self.groups, -1))
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        q, k, v = (a.transpose(1, 2) for a in (q, k, v))
        k, v = (a.repeat_interleave(self.heads // self.groups, 1) for a in (k, v))
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = q * scale @ k.transpose(-1, -2)
        scores = scores if self.scores is None else self.scores(scores)
        seen = allowed(mask, q.shape[2], k.shape[2], self.causal, self.window, q.device)
        weights = attention_weights(scores, seen, mask is not None and self.empty == "zeros")
        y = F.dropout(weights, self.dropout, self.training) @ v
        y = self.out(y.transpose(1, 2).flatten(2))
        return (y, weights) if self.return_weights else y


class DotAttention(nn.Module):
    """`softmax(query @ keyᵀ) @ value`, with scores times a learned number if `scale` is true."""

    def __init__(self, scale=None, causal=False, dropout=0.0, return_weights=False):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(())) if scale else None
        self.causal, self.dropout, self.return_weights = causal, dropout, return_weights

    def score(self, query, key):
        scores = query @ key.transpose(1, 2)
        return scores if self.scale is None else scores * self.scale

    def forward(self, query, key, value, mask=None):
        seen = allowed(mask, query.shape[1], key.shape[1], self.causal, None, query.device)
        weights = attention_weights(self.score(query, key)[:, None], seen, mask is not None)[:, 0]
        y = F.dropout(weights, self.dropout, self.training) @ value
        return (y, weights) if self.return_weights else y


class AdditiveAttention(DotAttention):
    """`softmax(Σ scale · tanh(query + key)) @ value`, with `scale` features of learned weight, or None."""

    def __init__(self, scale=None, causal=False, dropout=0.0, return_weights=False):
        super().__init__(None, causal, dropout, return_weights)
        self.scale = nn.Parameter(torch.ones(scale)) if scale else None

    def score(self, query, key):
        scores = torch.tanh(query[:, :, None] + key[:, None])
        return scores.sum(-1) if self.scale is None else scores @ self.scale


class Rotary(nn.Module):
    """Rotates pairs of features of `(batch, time, heads, n)` by an angle proportional to the position."""

    def __init__(self, base, size=None, interleaved=False):
        super().__init__()
        self.base, self.size, self.interleaved = base, size, interleaved

    def forward(self, x):
        n = self.size or x.shape[-1]
        at = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
        angles = at[:, None] * self.base ** (torch.arange(0, n, 2, device=x.device, dtype=x.dtype) / -n)
        sin, cos = angles.sin()[:, None], angles.cos()[:, None]
        first, rest = x[..., :n], x[..., n:]
        a, b = (first[..., ::2], first[..., 1::2]) if self.interleaved else first.chunk(2, -1)
        pair = (a * cos - b * sin, b * cos + a * sin)
        turned = torch.stack(pair, -1).flatten(-2) if self.interleaved else torch.cat(pair, -1)
        return torch.cat([turned, rest], -1)


class Alibi(nn.Module):
    """`scores - slope · distance`, with one slope per head."""

    def forward(self, scores):
        heads, queries, keys = scores.shape[1:]
        power = 2 ** int(math.log2(heads))
        slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
        slopes += [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
        at = torch.arange(keys, device=scores.device) - torch.arange(queries, device=scores.device)[:, None]
        return scores - scores.new_tensor(slopes)[:, None, None] * at.abs()


class RelativeBias(nn.Module):
    """`scores + embedding[bucket of the distance]`, for each head, as in T5."""

    def __init__(self, buckets, heads, max_distance, causal):
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(buckets, heads))
        self.max_distance, self.causal = max_distance, causal

    def forward(self, scores):
        queries, keys = scores.shape[2:]
        distance = torch.arange(keys, device=scores.device) - torch.arange(queries, device=scores.device)[:, None]
        n, first = len(self.embedding), 0
        if self.causal:
            far = (-distance).clamp(min=0)
        else:
            n //= 2
            first, far = torch.where(distance > 0, n, 0), distance.abs()
        exact = n // 2
        ratio = torch.log(far.clamp(min=1) / exact) / math.log(self.max_distance / exact)
        coarse = (exact + (ratio * (n - exact)).int()).clamp(max=n - 1)
        return scores + self.embedding[first + torch.where(far < exact, far, coarse)].movedim(-1, 0)


def window_offsets(window):
    """The row of the bias table for each pair of a window's pixels."""
    at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"), -1).flatten(0, 1)
    by = at[:, None] - at + window - 1
    return by[..., 0] * (2 * window - 1) + by[..., 1]


class WindowBias(nn.Module):
    """`scores + embedding[offset]` for each head, between the pixels of a window, as in Swin."""

    def __init__(self, window, heads):
        super().__init__()
        self.window = window
        self.embedding = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def forward(self, scores):
        return scores + self.embedding[window_offsets(self.window)].movedim(-1, 0)


class CosineWindowBias(nn.Module):
    """`scores · min(exp(log_scale), 100) + 16 sigmoid(mlp(offset))`, as in Swin V2."""

    def __init__(self, window, hidden, heads):
        super().__init__()
        self.window = window
        self.log_scale = nn.Parameter(torch.zeros(heads))
        self.hidden_kernel = nn.Parameter(torch.zeros(2, hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.out_kernel = nn.Parameter(torch.zeros(hidden, heads))

    def forward(self, scores):
        along = torch.arange(1 - self.window, self.window, dtype=torch.float32)
        by = torch.stack(torch.meshgrid(along, along, indexing="ij"), -1).flatten(0, 1) / (self.window - 1) * 8
        at = (by.sign() * torch.log2(by.abs() + 1) / 3).to(scores)
        table = torch.relu(at @ self.hidden_kernel + self.hidden_bias) @ self.out_kernel
        bias = 16 * torch.sigmoid(table[window_offsets(self.window)]).movedim(-1, 0)
        return scores * self.log_scale.clamp(max=math.log(100)).exp()[:, None, None] + bias


class WindowAttention(nn.Module):
    """Attention within the windows of images `(batch, height, width, n)`, shifted cyclically."""

    def __init__(self, attention, window, shift):
        super().__init__()
        self.attention, self.window, self.shift = attention, window, shift

    def forward(self, x):
        w, (batch, height, width, n) = self.window, x.shape
        rows, cols = -(-height // w), -(-width // w)
        x = F.pad(x, (0, 0, 0, cols * w - width, 0, rows * w - height))
        shift = tuple(self.shift if count > 1 else 0 for count in (rows, cols))
        x = x.roll((-shift[0], -shift[1]), (1, 2))
        x = x.reshape(batch, rows, w, cols, w, n).transpose(2, 3).reshape(-1, w * w, n)
        mask = self.seen(rows, cols, shift).to(x.device).repeat(batch, 1, 1) if any(shift) else None
        y = self.attention(x, mask=mask)
        y = y.reshape(batch, rows, cols, w, w, n).transpose(2, 3).reshape(batch, rows * w, cols * w, n)
        return y.roll(shift, (1, 2))[:, :height, :width]

    def seen(self, rows, cols, shift):
        """Which pairs of pixels were next to each other before the shift."""
        w, regions = self.window, []
        for count, by in zip((rows, cols), shift):
            at = torch.arange(count * w)
            regions.append((at >= (count - 1) * w).int() + (at >= count * w - by).int() if by else 0 * at.int())
        region = regions[0][:, None] * 3 + regions[1]
        region = region.reshape(rows, w, cols, w).transpose(1, 2).reshape(-1, w * w)
        return region[:, :, None] == region[:, None]


def sinusoidal(x, base, interleaved):
    """`x +` sines and cosines of the position at decreasing frequencies."""
    n = x.shape[-1]
    at = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
    angles = at[:, None] * base ** (torch.arange(0, n, 2, device=x.device, dtype=x.dtype) / -n)
    both = (angles.sin(), angles.cos())
    return x + (torch.stack(both, -1).flatten(-2) if interleaved else torch.cat(both, -1))
