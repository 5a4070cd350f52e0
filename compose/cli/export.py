"""`compose export FILE --to FORMAT`: a model file as a file that runs without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compose.cli.inputs import read_inputs
from compose.core.errors import ConfigError
from compose.export.formats import ENDINGS
from compose.train import load


def export(
    file: Path, to: str, out: Path | None, batch: int | None, opset: int | None, half: bool, int8: Path | None,
    int8_weights: bool,
) -> None:  # fmt: skip
    """Write the export beside the model file, or to `out`, and print the proof; see the command for the options."""
    options: dict[str, Any] = {} if batch is None else {"batch": batch}
    if to != "onnx" and opset is not None:
        raise ConfigError("--opset with --to onnx only", f"--to {to}")
    if to != "litert" and int8_weights:
        raise ConfigError("--int8-weights with --to litert only", f"--to {to}")
    if to not in ("onnx", "litert") and (half or int8 is not None):
        raise ConfigError("--half and --int8 with --to onnx or --to litert only", f"--to {to}")
    if half + int8_weights + (int8 is not None) > 1:
        raise ConfigError("one of --half, --int8 and --int8-weights", "several")
    trained = load(file)
    options |= {} if opset is None else {"opset": opset}
    options |= {"precision": "float16"} if half else {}
    options |= {"precision": "int8"} if int8_weights else {}
    if int8 is not None:
        options |= {"precision": "int8", "calibration": read_inputs(int8, trained.inputs)}
    path = out or file.with_name(file.stem + ENDINGS[to])
    print(f"{path}: {trained.export(path, to, **options)}")
