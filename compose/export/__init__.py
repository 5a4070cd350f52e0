"""Networks as files that run without this package: ONNX, StableHLO, SavedModel, LiteRT, PyTorch and Keras source."""

from compose.export.errors import ExportError
from compose.export.formats import export
from compose.export.keras import to_keras
from compose.export.litert import to_litert
from compose.export.onnx import to_onnx
from compose.export.savedmodel import to_savedmodel
from compose.export.stablehlo import to_stablehlo
from compose.export.torch import to_torch

__all__ = ["ExportError", "export", "to_keras", "to_litert", "to_onnx", "to_savedmodel", "to_stablehlo", "to_torch"]
