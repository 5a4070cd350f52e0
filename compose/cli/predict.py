"""`compose predict FILE INPUT`: run a model on the examples in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from compose import data
from compose.atomic import replacing
from compose.cli.inputs import read_inputs
from compose.core.errors import DataError, ParamsError, shape_text
from compose.train import load


def predict(file: Path, source: Path, out: Path | None, label: bool) -> None:
    """Run the model on the examples in `source`; see the command for the options."""
    if out is not None and out.suffix not in _WRITERS:
        raise DataError(f"{out}: cannot write this file type, only {', '.join(_WRITERS)}")
    trained = load(file)
    columns = trained.names.columns
    of_table = columns is not None and source.suffix.lower() in (".csv", ".parquet")
    x = data.table(source, columns=columns).x if of_table else read_inputs(source, trained.inputs)
    try:
        outputs = trained.predict(x)
    except ParamsError:
        raise DataError(f"{source}: expected examples like {shape_text(trained.inputs)}, got {shape_text(x)}") from None
    arrays = [np.asarray(a) for a in jax.tree.leaves(outputs)]
    if label:
        classes = np.array(trained.names.classes)
        arrays = [classes[a.argmax(-1)] if len(classes) == a.shape[-1] else a.argmax(-1) for a in arrays]
    if out is None:
        for row in _rows(arrays):
            print(row)
        return
    with replacing(out) as sink:
        _WRITERS[out.suffix](sink, arrays)


def _rows(arrays: list[np.ndarray]) -> Iterator[str]:
    """One line per example with all its outputs, each number as short as it can be read back exactly."""
    for i in range(len(arrays[0])):
        yield ",".join(str(number) for a in arrays for number in np.ravel(a[i]))


def _csv(sink: Any, arrays: list[np.ndarray]) -> None:
    for row in _rows(arrays):
        sink.write(row.encode() + b"\n")


def _npy(sink: Any, arrays: list[np.ndarray]) -> None:
    if len(arrays) > 1:
        raise DataError(f"a .npy file holds one array and this network has {len(arrays)} outputs; write .npz")
    np.save(sink, arrays[0])


def _npz(sink: Any, arrays: list[np.ndarray]) -> None:
    np.savez(sink, *arrays)


_WRITERS = {".csv": _csv, ".npy": _npy, ".npz": _npz}
