"""Operations with channels first, which TensorFlow has on no CPU in float64, by those with channels last."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.port.frontends.tensorflow.float64.nodes import NodeDef, constant, operation

_LISTS = ("strides", "dilations", "ksize")
_DATA = {"Conv2DBackpropInput": 2, "Conv3DBackpropInputV2": 2}


def first(node: Any) -> bool:
    """Whether an operation, other than a sum with a bias, has its channels first."""
    return node.attr["data_format"].s in (b"NCHW", b"NCDHW") and node.op != "BiasAdd"


def channels_last(node: Any) -> tuple[list[Any], dict[str, str]]:
    """The nodes that replace this one, transposed before and after, and the tensors of its other outputs."""
    rank = len(node.attr["data_format"].s)
    to, back = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    name, data = node.name, _DATA.get(node.op, 0)
    inner: Any = NodeDef.FromString(node.SerializeToString())
    inner.name, inner.attr["data_format"].s = f"{name}/last", b"NHWC" if rank == 4 else b"NDHWC"
    for key in _LISTS:
        given = list(node.attr[key].list.i) if key in node.attr else []
        if given:
            inner.attr[key].list.i[:] = [given[a] for a in to]
    pads = list(node.attr["explicit_paddings"].list.i) if "explicit_paddings" in node.attr else []
    if pads:
        inner.attr["explicit_paddings"].list.i[:] = np.reshape(pads, (rank, 2))[list(to)].ravel().tolist()
    made = [constant(f"{name}/to", np.asarray(to, np.int32)), constant(f"{name}/back", np.asarray(back, np.int32))]
    turn = lambda part, x, axes: operation(part, "Transpose", [x, axes], T=tf.float32, Tperm=tf.int32)
    made.append(turn(f"{name}/turned", node.input[data], f"{name}/to:0"))
    inner.input[data] = f"{name}/turned:0"
    if data:  # the sizes of what a transposed convolution makes
        made.append(constant(f"{name}/zero", np.int32(0)))
        attrs = {"Tparams": tf.int32, "Tindices": tf.int32, "Taxis": tf.int32}
        made.append(operation(f"{name}/sizes", "GatherV2", [node.input[0], f"{name}/to:0", f"{name}/zero:0"], **attrs))
        inner.input[0] = f"{name}/sizes:0"
    made += [inner, turn(name, f"{inner.name}:0", f"{name}/back:0")]
    return made, {f"{name}:{i}": f"{inner.name}:{i}" for i in range(1, 6)}
