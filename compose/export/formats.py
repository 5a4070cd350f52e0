"""`trained.export(path)`: the format by name, or by the ending of the path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compose.core.errors import ConfigError
from compose.export.keras import to_keras
from compose.export.litert import to_litert
from compose.export.onnx import to_onnx
from compose.export.savedmodel import to_savedmodel
from compose.export.stablehlo import to_stablehlo
from compose.export.torch import to_torch

FORMATS: dict[str, Callable[..., Any]] = {
    "onnx": to_onnx, "stablehlo": to_stablehlo, "savedmodel": to_savedmodel, "litert": to_litert, "torch": to_torch,
    "keras": to_keras,
}  # fmt: skip
ENDINGS = {  # of the files that are written beside a model file
    "onnx": ".onnx", "stablehlo": ".stablehlo", "savedmodel": "_savedmodel", "litert": ".tflite", "torch": "_torch.py",
    "keras": "_keras.py",
}  # fmt: skip
BY_SUFFIX = {ending: name for name, ending in ENDINGS.items() if ending.startswith(".")} | {"": "savedmodel"}


def export(trained: Any, path: str | os.PathLike, to: str | None = None, **options: Any) -> Any:
    """See `Trained.export`."""
    suffix = Path(path).suffix
    name = to or BY_SUFFIX.get(suffix)
    if name not in FORMATS:
        raise ConfigError(f"a format, one of {', '.join(FORMATS)}", repr(to or suffix), 'as in export("model.onnx")')
    return FORMATS[name](trained.net, trained.params, trained.state, trained.inputs, path, **options)
