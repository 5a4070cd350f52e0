"""StableHLO: the compiled program as one file for every platform, which JAX alone runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from compose.core.layer import Layer
from compose.core.platform import tracing_for
from compose.core.run import arguments, as_arrays
from compose.export.compiling import BATCH, PLATFORMS, compiling
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report


@dataclass(frozen=True, repr=False)
class StableHLOExport(Exported):
    """A program of `jax.export`, serialized.

    Attributes:
        program: the `jax.export.Exported`; it takes the inputs, after parameters and state if these are beside it.
        data: the bytes of the file.
        report: the proof, or None if it was left out.
    """

    program: Any
    data: bytes
    report: Report | None

    def contents(self) -> bytes:
        return self.data

    @property
    def title(self) -> str:
        return f"StableHLO for {', '.join(self.program.platforms)}, {len(self.data):,} bytes"


def to_stablehlo(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | Literal["batch"] = BATCH,
    platforms: tuple[str, ...] = PLATFORMS,
    weights: Literal["inside", "beside"] = "inside",
    proof: bool = True,
) -> StableHLOExport:
    """Compile a network in inference into one StableHLO file for several platforms.

    It runs with JAX alone, without this package: `jax.export.deserialize(bytes).call(x)`. JAX reads such files for
    six months after the version that wrote them, and for three weeks before: keep the model file too. The file has no
    paths of the machine that wrote it.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them.
        path: where to write the file; None only returns it.
        batch: `"batch"` for any batch size, or a fixed one.
        platforms: those that the file runs on.
        weights: `"inside"` the file; or `"beside"` it, so that the program is called as `call(params, state, x)`.
        proof: whether to run it on this platform at three batch sizes and compare.

    Raises `ExportError` if the network cannot be compiled for any batch size, or computes something else.
    """
    try:
        import flatbuffers  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ExportError("flatbuffers: pip install 'compose-jax[export]'") from None
    from jax import export

    symbol: Any = export.symbolic_shape(BATCH)[0] if batch == BATCH else batch
    examples = arguments(inputs)
    given = as_arrays(examples)
    shaped = jax.tree.map(lambda a: jax.ShapeDtypeStruct((symbol, *a.shape[1:]) if a.shape else (), a.dtype), given)
    held = jax.tree.map(np.asarray, (params, state))
    call = lambda params, state, *xs: net.apply(params, state, *xs)[0]
    if weights == "inside":
        function, specs = (lambda *xs: call(*held, *xs)), shaped
    else:
        function, specs = call, (*jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), held), *shaped)
    with compiling(net, batch), tracing_for(platforms):
        program = export.export(jax.jit(function), platforms=platforms)(*specs)
        data = bytes(program.serialize())
    report = None
    if proof and jax.default_backend() in ("gpu", *platforms):
        loaded = export.deserialize(bytearray(data))
        before = held if weights == "beside" else ()

        def run(*leaves: Any) -> list:
            xs = jax.tree.unflatten(jax.tree.structure(examples), leaves)
            return jax.tree.leaves(loaded.call(*before, *xs))

        report = Report.of(net, params, state, examples, run, None if batch == BATCH else batch)
        report.check()
    made = StableHLOExport(program, data, report)
    if path is not None:
        made.save(path)
    return made
