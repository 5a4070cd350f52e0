"""The proof of an export: its outputs against those of the network, at three batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.combinators.wrappers import cast
from compose.core.layer import Layer
from compose.core.run import as_arrays
from compose.export.errors import ExportError
from compose.export.examples import examples_of

BATCHES = (1, 3, 8)
TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 5e-3, "bfloat16": 4e-2}
WITH_FLOAT32 = 1e-6  # where numbers of the program, such as slopes, are float32 in a network in float64
LEAST = 1e-2  # of the largest output, to which errors are relative: those of float32 inside are about 1e-7
LOSS = {"float16": 0.05, "int8": 0.5}  # beyond it the file is not what was asked for


@dataclass(frozen=True)
class Row:
    """One batch size: the largest error, relative to the largest output but at least 0.01, and the mean error."""

    batch: int
    largest: float
    mean: float


@dataclass(frozen=True)
class Report:
    """The errors of an exported network.

    Attributes:
        rows: one for each batch size.
        runtime: what ran the export.
        dtype: the dtype of the network's outputs, or of a `cast` in it if that is in half precision, by which the
            tolerance is chosen.
    """

    rows: tuple[Row, ...]
    runtime: str
    dtype: str

    @property
    def largest(self) -> float:
        return max(row.largest for row in self.rows)

    @classmethod
    def of(
        cls, net: Layer, params: Any, state: Any, inputs: tuple, run: Callable[..., list], batch: int | None,
        precision: str | None = None,
    ) -> Report:  # fmt: skip
        """Run both; `run(*arrays)` is the export, which takes the leaves of the inputs and returns those of outputs."""
        rows, y = [], []
        predict = jax.jit(lambda params, state, *given: net.apply(params, state, *given)[0])
        for n in BATCHES if batch is None else (batch,):
            examples = examples_of(net, inputs, n)
            y = jax.tree.leaves(predict(params, state, *examples))
            leaves = [np.asarray(a) for a in jax.tree.leaves(as_arrays(examples))]
            made = run(*leaves)
            errors = [
                difference(np.asarray(a), np.asarray(b), exact=precision is None) for a, b in zip(made, y, strict=True)
            ]
            rows.append(Row(n, max(e for e, _ in errors), max(m for _, m in errors)))
        return cls(tuple(rows), getattr(run, "name", "the export"), _computed_in(net, y))

    def check(self, precision: str | None = None, float32_inside: bool = False) -> None:
        """Raise `ExportError` if an error is beyond what the dtype or the precision explains."""
        limit = LOSS[precision] if precision else TOLERANCE[self.dtype]
        limit = max(limit, WITH_FLOAT32) if float32_inside else limit
        if not self.largest <= limit:
            raise ExportError(f"an export that computes what the network does, within {limit:g}", f"\n{self}")

    def __str__(self) -> str:
        lines = [f"run in {self.runtime} and compared with the network in {self.dtype}"]
        lines += [f"  batch {row.batch:<3} largest error {row.largest:.1e}   mean {row.mean:.1e}" for row in self.rows]
        return "\n".join(lines)


def _computed_in(net: Layer, y: list) -> str:
    """The narrowest dtype of a cast in the network, or of its outputs; float32 for integers."""
    cast_to = [jnp.dtype(layer.dtype) for _, layer in net.walk() if isinstance(layer, cast)]
    named = {a.name for a in (*cast_to, *(a.dtype for a in y))}
    return next((name for name in ("bfloat16", "float16", "float64") if name in named), "float32")


def difference(got: np.ndarray, want: np.ndarray, exact: bool = True) -> tuple[float, float]:
    """The largest and the mean error, as in `Row`; infinite for another shape or dtype, or other integers if exact."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf"), float("inf")
    if not jnp.issubdtype(want.dtype, jnp.floating) or not want.size:
        off = np.not_equal(got, want)
        rate = float(off.mean()) if want.size else 0.0
        return (float("inf") if off.any() and exact else rate), rate
    got, want = got.astype(np.float64), want.astype(np.float64)
    finite = np.isfinite(want)
    if not np.array_equal(np.where(finite, 0, want), np.where(np.isfinite(got), 0, got), equal_nan=True):
        return float("inf"), float("inf")
    difference = np.abs(got[finite] - want[finite])
    scale = max(LEAST, float(np.abs(want[finite]).max(initial=0)))
    return float(difference.max(initial=0)) / scale, float(difference.mean()) / scale if difference.size else 0.0
