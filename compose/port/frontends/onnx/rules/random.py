"""Dropout, noise and augmentation."""

from __future__ import annotations

from compose.layers.dropout import dropout
from compose.port.frontends.onnx.registry import rule


@rule("onnx.Dropout")
def _dropout(low, node, x, ratio=None, *training):
    rate = 0.5 if ratio is None else float(low.known(ratio).item())
    return (low.emit(dropout(rate), x) if rate > 0 else x, None)
