"""Operations of simpler ones, where torch's own decomposition gives other numbers or holds the size of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch


def _multilabel_margin_loss(x: torch.Tensor, target: torch.Tensor, reduction: int = 1) -> torch.Tensor:
    """Targets of each example end at the first -1; torch's decomposition counts the places behind it as well."""
    n = x.shape[-1]
    real = (target == -1).cumsum(-1) == 0
    named = torch.where(real, target, 0)
    classes = torch.arange(n) if x.ndim > 1 else (0 * target + 1).cumsum(-1) - 1  # one example's are the first axis
    found = ((named[..., :, None] == classes[..., None, :]) & real[..., None]).any(-2)
    counted = real[..., :, None] & ~found[..., None, :]
    short = (1 - x.gather(-1, named)[..., :, None] + x[..., None, :]).clamp_min(0)
    loss = torch.where(counted, short, 0.0).sum((-2, -1)) / n
    return (loss, loss.mean(), loss.sum())[reduction]


def _max_unpool(x: torch.Tensor, places: torch.Tensor, size: Sequence[int], *args: Any) -> torch.Tensor:
    """Each maximum at its place in the plane, or the volume, that it came from."""
    space = len(size)
    flat = x.new_zeros((*x.shape[:-space], math.prod(size)))
    return flat.scatter(-1, places.flatten(-space), x.flatten(-space)).unflatten(-1, tuple(size))


_ATEN = torch.ops.aten
COMPOSED: dict[Any, Callable] = {
    _ATEN.multilabel_margin_loss.default: _multilabel_margin_loss,
    _ATEN.max_unpool2d.default: _max_unpool,
    _ATEN.max_unpool3d.default: _max_unpool,
}
