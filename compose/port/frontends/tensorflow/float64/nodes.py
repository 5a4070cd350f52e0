"""Nodes of TensorFlow's graphs, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef  # pyright: ignore[reportAttributeAccessIssue]
from tensorflow.python.framework import tensor_util

_NARROW = (tf.float32.as_datatype_enum, tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum)
_WIDE = tf.float64.as_datatype_enum
_KNOWN = {np.float32(v): v for v in (math.sqrt(2), math.sqrt(0.5), math.sqrt(2 / math.pi), 1 / 3, 1 / 6, math.pi)}


def widened(given: Any) -> Any:
    """A copy of a node with float64 for float32, without attributes that belong to its old graph."""
    made: Any = NodeDef(name=given.name, op=given.op, input=given.input)
    for key, value in given.attr.items():
        if key.startswith("_") or key in ("shared_name", "container", "debug_name"):
            continue
        attr = made.attr[key]
        attr.CopyFrom(value)
        kind = value.WhichOneof("value")
        if kind == "type":
            attr.type = wide_type(value.type)
        elif kind == "list":
            attr.list.type[:] = [wide_type(t) for t in value.list.type]
        elif kind == "tensor" and value.tensor.dtype in _NARROW:
            attr.tensor.CopyFrom(tensor_util.make_tensor_proto(said(tf.make_ndarray(value.tensor)), tf.float64))
    return made


def said(array: np.ndarray) -> np.ndarray:
    """The numbers that a person wrote, of which float32 kept eight digits: 0.1, or the root of two."""
    if array.dtype != np.float32 or array.size > 1024:
        return array.astype(np.float64)
    return np.array([_KNOWN.get(v, float(str(v))) for v in array.ravel()], np.float64).reshape(array.shape)


def wide_type(dtype: int) -> int:
    return _WIDE if dtype in _NARROW else dtype


def operation(name: str, op: str, inputs: Any, **attrs: Any) -> Any:
    made: Any = NodeDef(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        dtype = value.as_datatype_enum if isinstance(value, tf.DType) else value.type
        made.attr[key].type = dtype
    return made


def placeholder(name: str, dtype: int, shape: tuple[int, ...]) -> Any:
    made: Any = NodeDef(name=name, op="Placeholder")
    made.attr["dtype"].type = dtype
    made.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return made


def constant(name: str, value: Any, wide: bool = True) -> Any:
    made: Any = NodeDef(name=name, op="Const")
    proto = tensor_util.make_tensor_proto(value)
    made.attr["dtype"].type = proto.dtype
    made.attr["value"].tensor.CopyFrom(proto)
    return widened(made) if wide else made
