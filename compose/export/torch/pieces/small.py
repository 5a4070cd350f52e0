"""Small functions and modules."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class DropPath(nn.Module):
    """Zeroes whole examples in training with probability `rate` and divides the rest by `1 - rate`."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or not self.rate:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * keep / (1 - self.rate)


def sparsemax(x, axis):
    """The point of the probability simplex nearest to `x`."""
    z = x.movedim(axis, -1)
    largest = z.sort(-1, descending=True)[0]
    count = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype, device=z.device)
    totals = largest.cumsum(-1)
    support = (1 + count * largest > totals).sum(-1, keepdim=True)
    cut = (totals.gather(-1, support - 1) - 1) / support
    return torch.relu(z - cut).movedim(-1, axis)


def masked_bag(table, ids, real, mode, padding=None, weights=None):
    """The sum, mean or maximum of the embeddings of ids `(batch, n)`, by a mask `(batch, n)` or lengths `(batch,)`."""
    if real.ndim == 1:
        real = torch.arange(ids.shape[1], device=ids.device) < real[:, None]
    real = real if padding is None else real & (ids != padding)
    rows = table(ids)
    rows = rows if weights is None else rows * weights[..., None]
    if mode == "max":
        best = torch.where(real[..., None], rows, -math.inf).amax(1)
        return torch.where(real.any(1)[:, None], best, 0)
    total = torch.where(real[..., None], rows, 0).sum(1)
    return total if mode == "sum" else total / real.sum(1).clamp(min=1)[:, None]


def mean_of_windows(x, size, stride, padding):
    """The mean of each window, in which padding does not count."""
    pool = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}[x.ndim]
    widths = [n for pair in reversed(padding) for n in pair]
    return pool(F.pad(x, widths), size, stride) / pool(F.pad(torch.ones_like(x), widths), size, stride)


def lp_pool(x, power, size, stride, ceil_mode):
    """The Lp norm of each window; a zero window has gradient 0."""
    pool = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}[x.ndim]
    total = pool(x.abs() ** power, size, stride, ceil_mode=ceil_mode) * math.prod(size)
    return torch.where(total == 0, 0, torch.where(total == 0, 1, total) ** (1 / power))


def max_unpool(x, indices, space):
    """Puts each value back at its index, with zeros elsewhere."""
    y = x.new_zeros(*x.shape[:2], math.prod(space))
    return y.scatter(2, indices.flatten(2).long(), x.flatten(2)).unflatten(2, space)


def symmetric_pad(x, widths):
    """Pads each spatial axis with its own values, the edge among them."""
    for axis, (before, after) in enumerate(widths, 2):
        n = x.shape[axis]
        places = [*reversed(range(before)), *range(n), *reversed(range(n - after, n))]
        x = x.index_select(axis, torch.tensor(places, device=x.device))
    return x


def blocks_to_space(x, factor, outermost):
    """Moves channels to blocks of `factor` values along each spatial axis."""
    rank = x.ndim - 2
    block = [factor] * rank
    split = (-1, *block) if outermost else (*block, -1)
    x = x.unflatten(1, split)
    channel, first = (1, 2) if outermost else (1 + rank, 1)
    woven = [axis for i in range(rank) for axis in (2 + rank + i, first + i)]
    x = x.permute(0, channel, *woven)
    for i in range(rank):
        x = x.flatten(2 + i, 3 + i)
    return x


def space_to_blocks(x, factor, outermost):
    """Moves blocks of `factor` values along each spatial axis to channels."""
    rank = x.ndim - 2
    for i in range(rank):
        x = x.unflatten(2 + 2 * i, (-1, factor))
    outer, inner = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    packed = (1, *inner) if outermost else (*inner, 1)
    return x.permute(0, *packed, *outer).flatten(1, rank + 1)


def windows(x, size, stride, padding, dilation):
    """The values of each window as channels, for any number of spatial axes."""
    x = F.pad(x, [n for pair in reversed(padding) for n in pair])
    rank = len(size)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    for axis, (span, step) in enumerate(zip(spans, stride), 2):
        x = x.unfold(axis, span, step)
    for i, d in enumerate(dilation):
        x = x[(..., slice(None, None, d), *[slice(None)] * (rank - 1 - i))]
    return x.permute(0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank)).flatten(1, 1 + rank)


def mixture(outputs, logits, top=None):
    """The sum of the experts' outputs, weighted by the softmax of the logits, of the `top` largest alone if given."""
    if top is not None:
        least = logits.topk(top).values[..., -1:]
        logits = torch.where(logits >= least, logits, -math.inf)
    return torch.einsum("...e,...me->...m", logits.softmax(-1), torch.stack(outputs, -1))
