"""The bias that follows a linear map or a convolution, and the zeros around a convolution's input."""

from __future__ import annotations

from dataclasses import replace

from compose.combinators import identity
from compose.layers.conv.conv import conv, depthwise_conv, separable_conv
from compose.layers.dense import fc
from compose.layers.learned import learned_bias
from compose.layers.pad import pad
from compose.port.ir.graph import Op
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.rewrite import Replacement, Rewriter


def _biased(op: Op, graph: Operations) -> Replacement | None:
    """A product without bias, and a bias of each channel in the same module."""
    product = graph.producers.get(op.inputs[0]) if isinstance(op.layer, learned_bias) else None
    if product is None or graph.readers[product.output] > 1 or product.path != op.path:
        return None
    layer = product.layer
    free = isinstance(layer, (fc, conv)) and not layer.bias and layer.activation == identity
    last = op.layer == learned_bias() and not getattr(layer, "channels_first", False)
    if not free or not last or graph.shared(op) or graph.shared(product):
        return None
    weights = {**product.weights, "bias": op.weights["bias"]}
    new = replace(product, layer=layer.but(bias=True), weights=weights, output=op.output)
    return Replacement(frozenset((product.output, op.output)), (new,))


def _padded(op: Op, graph: Operations) -> Replacement | None:
    """Zeros around the input of a window that adds none: the window's own padding."""
    before = graph.producers.get(op.inputs[0])
    zeros = None if before is None or graph.readers[before.output] > 1 else before.layer
    over = op.layer
    if before is None or not isinstance(zeros, pad) or not isinstance(over, (conv, depthwise_conv, separable_conv)):
        return None
    plain = zeros.mode == "constant" and not zeros.value and zeros.channels_first == over.channels_first
    widths = zeros.widths if isinstance(zeros.widths, tuple) else (zeros.widths,)
    pairs = {w if isinstance(w, tuple) else (w, w) for w in widths}
    if not plain or over.padding not in ("valid", 0) or any(min(pair) < 0 for pair in pairs) or graph.shared(op):
        return None
    first, last = min(pairs)
    padding = first if len(pairs) == 1 and first == last else zeros.widths
    new = replace(op, layer=over.but(padding=padding), inputs=before.inputs)
    return Replacement(frozenset((before.output, op.output)), (new,))


DENSE: tuple[Rewriter, ...] = (
    Rewriter(frozenset(("learned_bias",)), _biased),
    Rewriter(frozenset(("conv", "depthwise_conv", "separable_conv")), _padded),
)
