"""Smaller files: half precision, and integers of eight bits."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper

from compose.core.run import as_arrays
from compose.export.errors import ExportError
from compose.export.onnx.convert import model_of

ROWS = 8  # examples of a calibration step


def in_half(net: Any, params: Any, state: Any, inputs: tuple, batch: Any, opset: int) -> onnx.ModelProto:
    """The model as the network computes with parameters in float16; inputs and outputs keep their dtype."""
    to = lambda a: a.astype(jnp.float16) if jnp.issubdtype(a.dtype, jnp.floating) else a
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, to(jnp.zeros((), a.dtype)).dtype), as_arrays(inputs))
    model = model_of(net, jax.tree.map(to, params), state, shapes, batch, opset)
    graph = model.graph
    for i, given in enumerate(jax.tree.leaves(as_arrays(inputs))):
        _between(graph, graph.input[i], given.dtype, before=True)
    for output in graph.output:
        _between(graph, output, np.float32, before=False)
    return model


def _between(graph: Any, value: Any, dtype: Any, before: bool) -> None:
    """A cast behind an input or in front of an output that is in float16."""
    if value.type.tensor_type.elem_type != TensorProto.FLOAT16:
        return
    inner, outer = f"{value.name}/float16", helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for node in graph.node:
        names = node.input if before else node.output
        for i, name in enumerate(names):
            if name == value.name:
                names[i] = inner
        if not before:
            for i, name in enumerate(node.input):
                if name == value.name:
                    node.input[i] = inner
    value.type.tensor_type.elem_type = outer
    if before:
        cast = helper.make_node("Cast", [value.name], [inner], name=f"{value.name}/Cast", to=TensorProto.FLOAT16)
        graph.node.insert(0, cast)
    else:
        graph.node.append(helper.make_node("Cast", [inner], [value.name], name=f"{value.name}/Cast", to=outer))


def quantized(model: onnx.ModelProto, data: tuple) -> onnx.ModelProto:
    """Weights and activations as 8-bit integers between QuantizeLinear and DequantizeLinear, by onnxruntime."""
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    except ImportError:
        raise ExportError("onnxruntime, to quantize: pip install 'compose-jax[export]'") from None
    arrays = [np.asarray(a) for a in jax.tree.leaves(as_arrays(data))]
    names = [i.name for i in model.graph.input]
    if len(arrays) != len(names) or not len(arrays[0]):
        raise ExportError(f"calibration data for {len(names)} inputs", f"{len(arrays)} arrays")

    class Rows(CalibrationDataReader):
        def __init__(self) -> None:
            self.steps = iter(range(0, len(arrays[0]), ROWS))

        def get_next(self) -> Any:
            start = next(self.steps, None)
            return None if start is None else {n: a[start : start + ROWS] for n, a in zip(names, arrays)}

    before = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it recommends a step of its own in the log
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "quantized.onnx"
            quantize_static(
                model, out, Rows(), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
            return onnx.load(out)
    finally:
        logging.root.setLevel(before)
