"""ONNX, written from the expression: each word its nodes, named by its path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report

if TYPE_CHECKING:
    import onnx

BATCH, OPSET = "batch", 23
MISSING = "onnx and onnxruntime: pip install 'compose-jax[export]'"


@dataclass(frozen=True, repr=False)
class OnnxExport(Exported):
    """An ONNX model, and how far its outputs are from those of the network.

    Attributes:
        model: the `onnx.ModelProto`.
        report: the proof, or None if it was left out.
    """

    model: onnx.ModelProto
    report: Report | None

    def contents(self) -> bytes:
        return self.model.SerializeToString()

    @property
    def title(self) -> str:
        return f"ONNX, opset {self.model.opset_import[0].version}, {len(self.model.graph.node)} nodes"


def to_onnx(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | Literal["batch"] = BATCH,
    opset: int = OPSET,
    precision: Literal["float16", "int8"] | None = None,
    calibration: Any = None,
    proof: bool = True,
) -> OnnxExport:
    """Write a network in inference as ONNX.

    A word that ONNX has is one node (`Conv`, `BatchNormalization`, `Gemm`, `LSTM`, `Attention`, ...), named by its
    path; any other is written as the operations that it runs. The blocks of a `repeat` are written out. The axes of
    inputs and outputs stay those of the network. The proof runs the file in onnxruntime (in onnx's reference
    implementation where onnxruntime is missing, or lacks an operation in float64) at three batch sizes.

    Ids out of range, which are NaN in JAX, are an error in onnxruntime, but negative ones count from the end.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them; arrays are what the proof runs on.
        path: where to write the file; None only returns it.
        batch: `"batch"` for any batch size, or a fixed one.
        opset: the version of the operators, from 20 on.
        precision: `"float16"` for weights and computation in half precision, inputs and outputs as they are; `"int8"`
            for quantized weights and activations (QDQ, per channel), whose ranges are those of `calibration`.
        calibration: typical inputs for `"int8"`, in the form of `inputs`; a few hundred examples.
        proof: whether to compare with the network; the report then also has the loss of accuracy of a precision.

    Raises `ExportError`, with the path and the expression, for a layer that ONNX cannot express, and if the file
    computes something else than the network.
    """
    try:
        import onnx
    except ImportError:
        raise ExportError(MISSING) from None
    from compose.export.onnx.convert import model_of
    from compose.export.onnx.precision import in_half, quantized
    from compose.export.onnx.run import Session

    if precision not in (None, "float16", "int8"):
        raise ConfigError('precision "float16" or "int8", or None', repr(precision))
    if (calibration is not None) != (precision == "int8"):
        raise ConfigError('calibration data with precision="int8", and only with it')
    given = arguments(inputs)
    model = model_of(net, params, state, given, batch, opset)
    if precision == "float16":
        model = in_half(net, params, state, given, batch, opset)
    elif precision == "int8":
        model = quantized(model, arguments(calibration))
    onnx.checker.check_model(model, full_check=True)
    report = None
    if proof:
        session = Session(model)
        report = Report.of(net, params, state, given, session, None if batch == BATCH else batch, precision)
        report.check(precision, has_float32(model))
    export = OnnxExport(model, report)
    if path is not None:
        export.save(path)
    return export


def has_float32(model: onnx.ModelProto) -> bool:
    """Whether a node holds float32 in float64 too: attributes do, and constants of some of ONNX's functions."""
    of_float = lambda node: any(a.HasField("f") or a.floats for a in node.attribute)
    return any(node.op_type in ("Erf", "Gelu", "HardSwish") or of_float(node) for node in model.graph.node)


__all__ = ["OnnxExport", "to_onnx"]
