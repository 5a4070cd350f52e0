"""Resizing where TensorFlow has it in float64 too; the other kinds are known by their formula."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rule
from compose.port.frontends.tensorflow.rules.image import one


@rule("tf.ResizeNearestNeighbor")
def _nearest(low, op, x, size):
    aligned, half = op.get_attr("align_corners"), op.get_attr("half_pixel_centers")
    options = {} if half else {"coordinates": "align_corners" if aligned else "asymmetric"}
    x, size = low.whole(x), tuple(int(n) for n in size)
    times = [n / m for n, m in zip(size, x.shape[1:3])]
    if not aligned and all(t == int(t) for t in times):
        return low.emit(word("upsample")(one(times)), x)
    return low.emit(word("resize")(one(size), "nearest", **options), x)
