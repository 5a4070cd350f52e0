"""Losses of PyTorch that the exporter cannot trace, as it can."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from compose.core.errors import PortError

_REDUCTIONS: dict[Any, Callable] = {"none": lambda loss: loss, "mean": torch.mean, "sum": torch.sum}
_BY_NUMBER = ("none", "mean", "sum")
_WITHOUT_BATCH = "log-probabilities (time, batch, classes), got {} axes; log_probs[:, None] adds the batch's"


@contextlib.contextmanager
def traceable_losses() -> Iterator[None]:
    """In the `with` block, losses that ask for the numbers of their inputs do not."""
    with (
        mock.patch.object(torch, "ctc_loss", _ctc_loss),
        mock.patch.object(torch.nn.functional, "gaussian_nll_loss", _gaussian_nll_loss),
    ):
        yield


def _ctc_loss(
    log_probs: torch.Tensor, targets: torch.Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 1, zero_infinity: bool = False,
) -> torch.Tensor:  # fmt: skip
    """One operation for the losses of the examples, then torch's reductions."""
    if log_probs.ndim != 3:
        raise PortError(_WITHOUT_BATCH.format(log_probs.ndim))
    batch = log_probs.shape[1]
    lengths = []
    for given in (input_lengths, target_lengths):
        made = given if isinstance(given, torch.Tensor) else torch.tensor(list(given))
        torch._check(made.ndim == 1 and made.shape[0] == batch)
        lengths.append(made)
    loss = torch.ops.compose.ctc_loss(log_probs, targets, *lengths, blank, zero_infinity)
    if reduction == 1:
        loss = loss / lengths[1].clamp_min(1)
    return _REDUCTIONS[_BY_NUMBER[reduction]](loss)


@torch.library.custom_op("compose::ctc_loss", mutates_args=())
def _losses(
    log_probs: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor, target_lengths: torch.Tensor, blank: int,
    zero_infinity: bool,
) -> torch.Tensor:  # fmt: skip
    return log_probs.new_empty(log_probs.shape[1])


_losses.register_fake(lambda log_probs, *args: log_probs.new_empty(log_probs.shape[1]))


def _gaussian_nll_loss(
    input: torch.Tensor, target: torch.Tensor, var: torch.Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> torch.Tensor:  # fmt: skip
    """Without the check that no variance is negative; the gradient passes those that are raised to `eps`."""
    if not isinstance(var, torch.Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * torch.ones_like(input)
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var[..., None]
        elif input.ndim != var.ndim or sum(y for x, y in zip(input.shape, var.shape) if x != y) != 1:
            raise ValueError("var is of incorrect size")
    var = var.detach().clamp(min=eps) + (var - var.detach())
    loss = 0.5 * (torch.log(var) + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    if reduction not in _REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    return _REDUCTIONS[reduction](loss)
