"""SavedModel: the compiled program as a folder that TensorFlow, its servers and its converters read."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.export.compiling import BATCH, PLATFORMS, compiling
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report

MISSING = "TensorFlow: pip install 'compose-jax[tensorflow]'"
PROGRAM = "saved_model.pb"  # in every SavedModel


@dataclass(frozen=True, repr=False)
class SavedModelExport(Exported):
    """A SavedModel.

    Attributes:
        files: their bytes, by the path inside the folder.
        platforms: those that it runs on.
        report: the proof, or None if it was left out.
    """

    files: dict[str, bytes]
    platforms: tuple[str, ...]
    report: Report | None

    def save(self, path: str | os.PathLike) -> None:
        """Write the folder, which replaces a SavedModel of that name as a whole.

        Raises `ConfigError` if something else is there.
        """
        target = Path(path)
        if target.exists() and not (target / PROGRAM).exists() and not (target.is_dir() and not any(target.iterdir())):
            raise ConfigError("a path for a folder of its own", f"{str(path)!r}, which holds something else")
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name[:100]}.") as held:
            draft = Path(held) / "new"
            for name, data in self.files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).write_bytes(data)
            if target.exists():
                os.replace(target, Path(held) / "old")
            os.replace(draft, target)

    @property
    def title(self) -> str:
        size = sum(map(len, self.files.values()))
        return f"SavedModel for {', '.join(self.platforms)}, {size:,} bytes"


def to_savedmodel(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | Literal["batch"] = BATCH,
    platforms: tuple[str, ...] = PLATFORMS,
    proof: bool = True,
) -> SavedModelExport:
    """Compile a network in inference into a SavedModel, which TensorFlow 2.21 or newer runs alone.

    Its signature is `serving_default`. Inputs are `x`, or `x0`, `x1`, ... in the order of the network's; outputs `y`,
    or `y0`, `y1`, .... Weights are variables, named by their paths. Gradients are not in it: it is for inference.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them; arrays are what the proof runs on.
        path: the folder to write; None only returns the files.
        batch: `"batch"` for any batch size, or a fixed one.
        platforms: those that it runs on.
        proof: whether to load and run it on the CPU at three batch sizes and compare.

    Raises `ExportError` if the network cannot be compiled for any batch size, if TensorFlow has not what it compiles
    to, with the path and the expression of the layer, or if it computes something else.
    """
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        raise ExportError(MISSING) from None
    from compose.export.savedmodel.convert import files_of, proven

    given = arguments(inputs)
    with tempfile.TemporaryDirectory() as folder:
        with compiling(net, batch):
            files_of(net, params, state, given, batch, platforms, folder)
        report = proven(net, params, state, given, batch, folder) if proof else None
        files = {str(f.relative_to(folder)): f.read_bytes() for f in sorted(Path(folder).rglob("*")) if f.is_file()}
    made = SavedModelExport(files, platforms, report)
    if path is not None:
        made.save(path)
    return made


__all__ = ["SavedModelExport", "to_savedmodel"]
