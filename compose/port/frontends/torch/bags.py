"""Bags of ids as one operation: the exporter flattens them into offsets that depend on the size of the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

import torch

from compose.core.errors import PortError

_REFUSED = "an embedding bag without max_norm and scale_grad_by_freq"
_FLAT = "bags of ids (batch, n), got one row with offsets: pad the bags, with padding_idx"


@contextlib.contextmanager
def traceable_bags() -> Iterator[None]:
    """In the `with` block, `torch.nn.functional.embedding_bag` is one operation, whose rule is `embedding_bag`."""
    with mock.patch.object(torch.nn.functional, "embedding_bag", _embedding_bag):
        yield


def _embedding_bag(
    input: torch.Tensor, weight: torch.Tensor, offsets: torch.Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: torch.Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> torch.Tensor:  # fmt: skip
    if input.ndim != 2 or offsets is not None:
        raise PortError(_FLAT)
    if max_norm is not None or scale_grad_by_freq:
        raise PortError(_REFUSED)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    padding = None if padding_idx is None else padding_idx % weight.shape[0]
    return torch.ops.compose.embedding_bag(weight, input, per_sample_weights, mode, padding)


@torch.library.custom_op("compose::embedding_bag", mutates_args=())
def _bags(
    weight: torch.Tensor, ids: torch.Tensor, per_sample_weights: torch.Tensor | None, mode: str, padding: int | None
) -> torch.Tensor:
    return weight.new_empty((ids.shape[0], weight.shape[1]))


_bags.register_fake(lambda weight, ids, *args: weight.new_empty((ids.shape[0], weight.shape[1])))
