"""From a network to a SavedModel on disk, proven, and the layer that TensorFlow refuses."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import jax
import numpy as np
import tensorflow as tf

from compose.core.layer import Layer
from compose.export.errors import ExportError
from compose.export.examples import examples_of
from compose.export.proof import Report, difference
from compose.export.savedmodel.module import Loaded, write
from compose.export.savedmodel.network import of_network, of_piece, open_batch
from compose.export.suspect import Piece, named, refused

BATCH = 3  # of the layers that are tried alone


def files_of(
    net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, platforms: tuple, folder: str | os.PathLike
) -> None:
    """Write the SavedModel into a folder."""
    program = of_network(net, params, state, inputs, batch)
    write(folder, program.function, program.weights, program.specs, platforms)


def proven(net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, folder: str | os.PathLike) -> Report:
    """The report of a SavedModel. Raises `ExportError` if it does not run or computes something else."""
    try:
        report = Report.of(net, params, state, inputs, Loaded(folder), batch if isinstance(batch, int) else None)
        report.check()
    except (tf.errors.OpError, ExportError) as e:
        found = culprit(net, params, state, inputs, batch, _refusal)
        raise named(failure(e, net, "TensorFlow"), found, "TensorFlow") from e
    return report


def culprit(net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, refusal: Any) -> Any:
    """The layer that fails on its own, see `suspect.refused`."""
    size = batch if isinstance(batch, int) else BATCH
    examples = examples_of(net, inputs, size)
    return refused(net, params, state, open_batch(inputs, batch), examples, refusal)


def _refusal(piece: Piece) -> str | None:
    program = of_piece(piece)
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(folder, program.function, program.weights, program.specs, ("cpu",))
            return differs(piece, Loaded(folder)(*map(np.asarray, jax.tree.leaves(piece.example))))
        except tf.errors.OpError as e:
            return reason(e)


def differs(piece: Piece, made: list, limit: float = 1e-3) -> str | None:
    """Why these outputs of a layer are not its own, or None."""
    want = jax.tree.leaves(jax.jit(piece.call)(piece.weights, piece.example))
    largest = max(difference(np.asarray(a), np.asarray(b))[0] for a, b in zip(made, want, strict=True))
    return None if largest <= limit else f"outputs that are {largest:.2g} from its own"


def failure(error: Exception, net: Layer, what: str) -> ExportError:
    """The error of a network that does not run."""
    if isinstance(error, ExportError):
        return error
    made = ExportError(f"a network that {what} runs", reason(error))
    made.locate(net)
    return made


def reason(error: Exception) -> str:
    """What the compiler says first, without where in its input."""
    found = re.search(r"error: (?:loc\(.*\): )?(.+)", str(error)) or re.search(r"\S.*", str(error))
    return found.group(found.re.groups).strip() if found else type(error).__name__
