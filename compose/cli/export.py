"""`compose export FILE --to FORMAT`: a model file as a file that runs without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compose.cli.inputs import read_inputs
from compose.core.errors import ConfigError
from compose.export.formats import SOURCES
from compose.train import load


def export(
    file: Path, to: str, out: Path | None, batch: int | None, opset: int | None, half: bool, int8: Path | None
) -> None:
    """Write the export beside the model file, or to `out`, and print the proof; see the command for the options."""
    options: dict[str, Any] = {} if batch is None else {"batch": batch}
    if to != "onnx" and (opset is not None or half or int8 is not None):
        raise ConfigError("--opset, --half and --int8 with --to onnx only", f"--to {to}")
    if half and int8 is not None:
        raise ConfigError("one of --half and --int8", "both")
    trained = load(file)
    options |= {} if opset is None else {"opset": opset}
    options |= {"precision": "float16"} if half else {}
    if int8 is not None:
        options |= {"precision": "int8", "calibration": read_inputs(int8, trained.inputs)}
    path = out or (file.with_name(f"{file.stem}_{to}.py") if to in SOURCES else file.with_suffix(f".{to}"))
    print(f"{path}: {trained.export(path, to, **options)}")
