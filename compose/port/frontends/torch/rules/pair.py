"""What is computed of two values, beside their sums and products."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.torch.registry import rule
from compose.port.lowering.values import identity_axes


@rule("aten.bilinear")
def _bilinear(lowering, node, a, b, weight, bias=None):
    layer = word("bilinear")(weight.shape[0], bias=bias is not None)
    a, b = lowering.as_source(a), lowering.as_source(b)
    return lowering.emit(layer, a, b, axes=a.axes, weights={"kernel": weight.turned((1, 2, 0)), "bias": bias})


@rule("aten.cosine_similarity")
def _cosine_similarity(lowering, node, a, b, axis=1, epsilon=1e-8):
    layer = word("cosine_similarity")(axis=axis, epsilon=epsilon)
    return lowering.emit(layer, lowering.as_source(a), lowering.as_source(b), axes=identity_axes(len(lowering.shape)))


@rule("aten.pairwise_distance")
def _pairwise_distance(lowering, node, a, b, order=2.0, epsilon=1e-6, keepdim=False):
    layer = word("pairwise_distance")(order=float(order), epsilon=epsilon, keepdims=keepdim)
    return lowering.emit(layer, lowering.as_source(a), lowering.as_source(b), axes=identity_axes(len(lowering.shape)))
