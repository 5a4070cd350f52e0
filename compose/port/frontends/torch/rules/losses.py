"""Losses that are one operation."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.torch.plain import plains
from compose.port.frontends.torch.registry import rule


@rule("compose.ctc_loss")
def _ctc_loss(low, node, log_probs: Any, targets: Any, lengths: Any, target_lengths: Any, blank: int, zero: bool):
    options = ({"blank": blank} if blank else {}) | ({"zero_infinity": True} if zero else {})
    log_probs, *given = plains(low, (log_probs, targets, lengths, target_lengths))
    turned = low.moved(log_probs, (1, 0, 2))
    layer = word("ctc_loss")(**options) if options else word("ctc_loss")
    return low.emit(layer, turned, *given, shape=low.shape, axes=(0,))
