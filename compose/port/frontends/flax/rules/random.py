"""Dropout, noise and augmentation."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.flax.registry import rules


@rules("flax.linen.stochastic.Dropout", "flax.nnx.nn.stochastic.Dropout")
def _dropout(low, module, x, *args, **options):
    if not module.rate:
        return x
    shared = tuple(module.broadcast_dims)
    return low.emit(word("dropout")(float(module.rate), **({"shared_axes": shared} if shared else {})), x)
