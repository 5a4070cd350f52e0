"""Pooling of volumes, which TensorFlow has in float32 alone: images are pooled, then rows along the depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.port.frontends.tensorflow.float64.nodes import constant, operation

VOLUMES = ("MaxPool3D", "AvgPool3D")


def by_slices(name: str, op: Any, x: Any) -> list[Any]:
    """Nodes that pool `x` as this operation does: the average of averages is that of all."""
    if op.get_attr("data_format") != b"NDHWC":
        raise PortError(f"channels last, got data_format={op.get_attr('data_format').decode()}")
    batch, depth, height, width, channels = x.shape.as_list()
    _, _, *plane, _ = op.outputs[0].shape.as_list()
    made: list[Any] = []

    def shaped(part: str, tensor: str, *shape: int) -> str:
        made.append(constant(f"{name}/{part}/shape", np.asarray(shape, np.int32)))
        full = f"{name}/{part}" if part else name
        made.append(operation(full, "Reshape", [tensor, f"{name}/{part}/shape:0"], T=tf.float64, Tshape=tf.int32))
        return f"{full}:0"

    def pool(part: str, tensor: str, size: list[int], stride: list[int]) -> str:
        node = operation(f"{name}/{part}", op.type.removesuffix("3D"), [tensor], T=tf.float64)
        node.attr["ksize"].list.i.extend([1, *size, 1])
        node.attr["strides"].list.i.extend([1, *stride, 1])
        node.attr["padding"].s = op.get_attr("padding")
        made.append(node)
        return f"{node.name}:0"

    size, stride = (list(op.get_attr(key))[1:-1] for key in ("ksize", "strides"))
    y = shaped("planes", x.name, batch * depth, height, width, channels)
    y = pool("over", y, size[1:], stride[1:])
    y = shaped("rows", y, batch, depth, plane[0] * plane[1], channels)
    y = pool("along", y, [size[0], 1], [stride[0], 1])
    shaped("", y, *op.outputs[0].shape.as_list())
    return made
