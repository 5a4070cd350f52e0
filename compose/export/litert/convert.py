"""From a network to a LiteRT model, proven, and the layer that the converter or the interpreter refuses."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from typing import Any

import jax
import numpy as np

from compose.core.layer import Layer
from compose.core.run import as_arrays
from compose.export.compiling import BATCH
from compose.export.errors import ExportError
from compose.export.labels import labels
from compose.export.litert.process import Interpreted, Refused, convert
from compose.export.litert.rewrite import rewrite
from compose.export.proof import Report
from compose.export.savedmodel.convert import culprit, differs, failure, reason
from compose.export.savedmodel.module import write
from compose.export.savedmodel.network import Program, of_network, of_piece
from compose.export.suspect import Piece, named


def model_of(
    net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, precision: str | None, calibration: Any
) -> bytes:
    """The model. Raises `ExportError` for what the converter refuses."""
    program = of_network(net, params, state, inputs, batch)
    wide = next((a for a in (*program.weights.values(), *program.specs) if a.dtype == np.float64), None)
    if wide is not None:
        raise ExportError("a network in float32, in which LiteRT computes", "float64").locate(net)
    rows = None if calibration is None else _rows(calibration, len(program.specs), batch)
    try:
        return converted(program, precision, rows)
    except Refused as e:
        raise explained(failure(e, net, "LiteRT"), net, params, state, inputs, batch, rows is not None) from e


def proven(
    net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, precision: str | None, model: bytes
) -> Report:
    """The report of a model. Raises `ExportError` if it does not run or computes something else."""
    try:
        run = Interpreted(model)
        report = Report.of(net, params, state, inputs, run, batch if isinstance(batch, int) else None, precision)
        report.check(precision)
    except (Refused, ExportError) as e:
        raise explained(failure(e, net, "LiteRT"), net, params, state, inputs, batch) from e
    return report


def explained(
    error: ExportError, net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, calibrated: bool = False
) -> ExportError:
    """The error with the layer that caused it, and whether a fixed batch size would help."""
    refusal = functools.partial(_refusal, calibrated=calibrated)
    found = culprit(net, params, state, inputs, batch, refusal)
    hint = ""
    if found is not None and batch == BATCH:
        fixed = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), found[0].example)
        if refusal(dataclasses.replace(found[0], x=fixed)) is None:
            hint = "export it for a fixed batch size, as in batch=1"
    return named(error, found, "LiteRT", hint)


def _refusal(piece: Piece, calibrated: bool) -> str | None:
    leaves = [np.asarray(a) for a in jax.tree.leaves(piece.example)]
    try:
        if calibrated:
            converted(of_piece(piece), "int8", dict(zip(labels("x", len(leaves)), (a[None] for a in leaves))))
            return None
        return differs(piece, Interpreted(converted(of_piece(piece), None))(*leaves))
    except Refused as e:
        return reason(e)


def converted(program: Program, precision: str | None, rows: dict[str, np.ndarray] | None = None) -> bytes:
    """The model of a program, in float32 or smaller. Raises `Refused`."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, program.function, program.weights, program.specs, ("cpu",), rewrite)
        return convert(folder, precision, rows)


def _rows(calibration: tuple, count: int, batch: int | str) -> dict[str, np.ndarray]:
    """The examples of a calibration, `(steps, batch, ...)`."""
    arrays = [np.asarray(a) for a in jax.tree.leaves(as_arrays(calibration))]
    size = batch if isinstance(batch, int) else 1
    if len(arrays) != count or len(arrays[0]) < size:
        raise ExportError(f"calibration data for {count} inputs, {size} examples or more", f"{len(arrays)} arrays")
    steps = len(arrays[0]) // size
    return {name: a[: steps * size].reshape(steps, size, *a.shape[1:]) for name, a in zip(labels("x", count), arrays)}
