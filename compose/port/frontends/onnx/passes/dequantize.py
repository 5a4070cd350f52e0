"""Weights that are stored as whole numbers with a scale, as the floats that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}


def dequantized(graph: onnx.GraphProto) -> None:
    """Replace QuantizeLinear and DequantizeLinear of initialisers by initialisers."""
    inits = {init.name: init for init in graph.initializer}
    kept = []
    for node in graph.node:
        fn: Any = {"QuantizeLinear": _quantized, "DequantizeLinear": _floats}.get(node.op_type)
        given = [inits.get(name) for name in node.input if name]
        if fn is None or None in given:
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        arrays = [numpy_helper.to_array(tensor) for tensor in given if tensor is not None]
        made = numpy_helper.from_array(fn(*arrays, **options), node.output[0])
        inits[node.output[0]] = made
        graph.initializer.append(made)
    if len(kept) < len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def _floats(x: np.ndarray, scale: np.ndarray, zero: Any = 0, axis: int = 1, block_size: int = 0, **_: Any) -> Any:
    scale, zero = _along(scale, x, axis, block_size), _along(np.asarray(zero), x, axis, block_size)
    return ((x.astype(np.float64) - zero.astype(np.float64)) * scale.astype(np.float64)).astype(np.float32)


def _quantized(x: np.ndarray, scale: np.ndarray, zero: Any = None, axis: int = 1, block_size: int = 0, **_: Any) -> Any:
    zero = np.zeros(scale.shape, np.uint8) if zero is None else zero
    least, most = _RANGES.get(zero.dtype.name, (-np.inf, np.inf))
    scale, kind = _along(scale, x, axis, block_size), zero.dtype
    whole = np.rint(x / scale) + _along(zero, x, axis, block_size).astype(np.float32)
    return np.clip(whole, least, most).astype(kind)


def _along(part: np.ndarray, x: np.ndarray, axis: int, block: int) -> np.ndarray:
    """A scale or zero, one for all, for each place of an axis, or for each block of it, as it broadcasts."""
    if part.size == 1:
        return part.reshape(())
    if block:
        return np.repeat(part, block, axis)[tuple(slice(0, n) for n in x.shape)]
    return part.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
