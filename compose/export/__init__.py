"""Networks as files that run without this package: ONNX, StableHLO, PyTorch and Keras source."""

from compose.export.errors import ExportError
from compose.export.formats import export
from compose.export.keras import to_keras
from compose.export.onnx import to_onnx
from compose.export.stablehlo import to_stablehlo
from compose.export.torch import to_torch

__all__ = ["ExportError", "export", "to_keras", "to_onnx", "to_stablehlo", "to_torch"]
