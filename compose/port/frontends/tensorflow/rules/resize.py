"""Resizing and pixel shuffles."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.rules.conv import one


@rule("tf.ResizeNearestNeighbor")
def _nearest(low, op, x, size):
    aligned, half = op.get_attr("align_corners"), op.get_attr("half_pixel_centers")
    options = {} if half else {"coordinates": "align_corners" if aligned else "asymmetric"}
    x, size = low.whole(x), tuple(int(n) for n in size)
    times = [n / m for n, m in zip(size, x.shape[1:3])]
    if not aligned and all(t == int(t) for t in times):
        return low.emit(word("upsample")(one(times)), x)
    return low.emit(word("resize")(one(size), "nearest", **options), x)


@rules("tf.SpaceToDepth", "tf.DepthToSpace")
def _depth(low, op, x):
    name = "space_to_depth" if op.type == "SpaceToDepth" else "depth_to_space"
    return low.emit(word(name)(int(op.get_attr("block_size"))), low.whole(x))
