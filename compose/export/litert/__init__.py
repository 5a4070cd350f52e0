"""LiteRT, formerly TensorFlow Lite: one file for phones, browsers and microcontrollers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.export.compiling import BATCH, compiling
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report

MISSING = "TensorFlow and ai-edge-litert: pip install 'compose-jax[litert]'"


@dataclass(frozen=True, repr=False)
class LiteRTExport(Exported):
    """A LiteRT model.

    Attributes:
        data: the bytes of the file.
        precision: of its weights.
        report: the proof, or None if it was left out.
    """

    data: bytes
    precision: str
    report: Report | None

    def contents(self) -> bytes:
        return self.data

    @property
    def title(self) -> str:
        return f"LiteRT, {self.precision}, {len(self.data):,} bytes"


def to_litert(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | Literal["batch"] = BATCH,
    precision: Literal["float16", "int8"] | None = None,
    calibration: Any = None,
    proof: bool = True,
) -> LiteRTExport:
    """Convert a network in inference into a `.tflite` file, by TensorFlow's converter.

    Its signature is `serving_default`. Inputs are `x`, or `x0`, `x1`, ... in the order of the network's; outputs `y`,
    or `y0`, `y1`, ..., in float32 in every precision. The proof runs the file in the interpreter of ai-edge-litert.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them; arrays are what the proof runs on.
        path: where to write the file; None only returns it.
        batch: `"batch"` for any batch size, or a fixed one, which phones mostly need: the file is smaller, and more
            layers can be converted.
        precision: `"float16"` for weights in half precision, in which GPUs compute, too; `"int8"` for weights of
            eight bits, and with `calibration` for activations of eight bits.
        calibration: typical inputs for `"int8"`, in the form of `inputs`; a few hundred examples.
        proof: whether to compare with the network; the report then also has the loss of accuracy of a precision.

    Raises `ExportError`, with the path and the expression, for a layer that the converter or the interpreter refuses,
    and if the file computes something else than the network.
    """
    try:
        import ai_edge_litert  # noqa: F401
        import tensorflow  # noqa: F401
    except ImportError:
        raise ExportError(MISSING) from None
    from compose.export.litert.convert import model_of, proven

    if precision not in (None, "float16", "int8"):
        raise ConfigError('precision "float16" or "int8", or None', repr(precision))
    if calibration is not None and precision != "int8":
        raise ConfigError('calibration data with precision="int8" only')
    given = arguments(inputs)
    data = None if calibration is None else arguments(calibration)
    with compiling(net, batch):
        model = model_of(net, params, state, given, batch, precision, data)
    report = proven(net, params, state, given, batch, precision, model) if proof else None
    made = LiteRTExport(model, precision or "float32", report)
    if path is not None:
        made.save(path)
    return made


__all__ = ["LiteRTExport", "to_litert"]
