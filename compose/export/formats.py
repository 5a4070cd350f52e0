"""`trained.export(path)`: the format by name, or by the ending of the path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compose.core.errors import ConfigError
from compose.export.keras import to_keras
from compose.export.onnx import to_onnx
from compose.export.stablehlo import to_stablehlo
from compose.export.torch import to_torch

FORMATS: dict[str, Callable[..., Any]] = {
    "onnx": to_onnx, "stablehlo": to_stablehlo, "torch": to_torch, "keras": to_keras,
}  # fmt: skip
SOURCES = ("torch", "keras")  # whose files end in .py


def export(trained: Any, path: str | os.PathLike, to: str | None = None, **options: Any) -> Any:
    """See `Trained.export`."""
    name = to or Path(path).suffix.removeprefix(".")
    if name not in FORMATS:
        raise ConfigError(f"a format, one of {', '.join(FORMATS)}", repr(name), 'as in export("model.onnx")')
    return FORMATS[name](trained.net, trained.params, trained.state, trained.inputs, path, **options)
