"""Images without a channel axis, which a convolution would take for sequences."""

from __future__ import annotations

import jax

from compose.core.warning import warn
from compose.layers.conv.conv import conv, depthwise_conv, separable_conv
from compose.train.logits import Outputs


def warn_of_images(outputs: Outputs) -> None:
    """Warn if a convolution with one number as its kernel gets inputs `(n, size, size)`: it has one spatial axis."""
    inputs = jax.tree.leaves(outputs.layers[-1].x)
    for call in outputs.layers:
        if not isinstance(call.layer, (conv, depthwise_conv, separable_conv)) or not isinstance(call.layer.kernel, int):
            continue
        given = next((x for x in inputs if x is call.x), None)
        if given is not None and given.ndim == 3 and given.shape[1] == given.shape[2] >= 8:
            size = given.shape[1]
            warn(
                f"{call.layer} convolves (n, {size}, {size}) along one axis, with {size} channels. Images of one "
                f"channel need an axis for it: x[..., None], or reshape({size}, {size}, 1) as the first layer. If "
                f"these are sequences, say so by the kernel ({call.layer.kernel},)"
            )
