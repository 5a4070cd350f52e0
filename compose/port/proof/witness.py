"""A second witness: the reference of a proof compared with another program that runs the source."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.port.proof.report import Row, compare
from compose.port.result import Result

TOLERANCE = 1e-4  # relative to the largest: the other program computes in float32
NOISE = 1e-7  # the relative rounding error of a number in float32
MARGIN = 100.0  # it rounds every number on the way, not the inputs alone


def witnessed(port: Result) -> list[Row]:
    """One row that compares the reference on the source's own weights with its witness, if it has one.

    An output that moves by more than the tolerance where the inputs are rounded to float32 may differ by as much.
    """
    ask = getattr(port.reference, "witness", None)
    seen = None if ask is None else ask()
    if seen is None:
        return []
    inputs = port.reference.inputs()
    ours = port.reference.outputs(port.graph.arrays, inputs)
    pairs = {f"output {i}": _finite(theirs, ours[i]) for i, theirs in seen.outputs.items() if _floating(theirs)}
    what = f"{seen.name} in float32"
    if not pairs:
        return []
    row = compare("witness", pairs, TOLERANCE)
    if not row.ok and np.isfinite(row.error):
        rng = np.random.default_rng(17)
        moved = [x * (1 + NOISE * rng.normal(size=x.shape)) if _floating(x) else x for x in inputs]
        others = port.reference.outputs(port.graph.arrays, moved)
        noise = compare("noise", {name: (others[int(name.split()[1])], b) for name, (_, b) in pairs.items()}, 0.0)
        return [Row("witness", what, row.error, row.error <= MARGIN * noise.error, row.worst)]
    return [Row("witness", what, row.error, row.ok, row.worst)]


def _finite(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays, without what is no finite number in either."""
    if a.shape != b.shape:
        return a, b
    kept = np.isfinite(a) | np.isfinite(b)
    return np.where(kept, a, 0), np.where(kept, b, 0)


def _floating(x: Any) -> bool:
    return np.issubdtype(x.dtype, np.floating)
