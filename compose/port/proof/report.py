"""The result of a proof, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One check: what was compared, the largest relative error, and where it is.

    Attributes:
        empty: whether it failed since what was compared proves nothing.
    """

    check: str
    what: str
    error: float
    ok: bool
    worst: str = ""
    empty: bool = False


@dataclass(frozen=True, repr=False)
class Report:
    """All checks of one proof; `ok` if all passed. `notes` say what the source does that the network does not."""

    model: str
    level: str
    seed: int
    tolerance: float
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    def __str__(self) -> str:
        lines = [f"{self.model}: port {'proven equal' if self.ok else 'NOT equal'} at the level {self.level!r}"]
        for row in self.rows:
            mark = "✓" if row.ok else "✗"
            worst = f"  at {row.worst}" if row.worst and not row.ok else ""
            lines.append(f"  {mark} {row.check:<10} {row.what:<38} largest relative error {row.error:.1e}{worst}")
        lines += [f"  · {note}" for note in self.notes]
        how = f"seed {self.seed}, tolerance {self.tolerance:.0e}"
        lines.append(f"  float64, perturbed weights, random cotangents, {how}")
        return "\n".join(lines)

    __repr__ = __str__  # so that prompts and notebooks show it as print does

    def json(self) -> str:
        return json.dumps({**asdict(self), "ok": self.ok}, indent=2, ensure_ascii=False)


def compare(
    check: str, pairs: dict[str, tuple[np.ndarray, np.ndarray]], tolerance: float, beside: Iterable[np.ndarray] = ()
) -> Row:
    """Compare ours with theirs, array by array, relative to each array's largest entry.

    An array that is almost zero (the gradient of a bias before batch norm is pure rounding) is compared relative to a
    ten-thousandth of the largest entry of all arrays, those in `beside` included. Infinities and NaN must be the same
    in both; an array of nothing else is no proof.
    """
    pairs = {name: (_signed(a), _signed(b)) for name, (a, b) in pairs.items()}
    beside = [b[np.isfinite(b)] for b in beside]
    wholly = [name for name, (_, b) in pairs.items() if b.size and not np.isfinite(b).any()]
    pairs = {name: _finite(a, b) for name, (a, b) in pairs.items()}
    all_of_theirs = [*beside, *(b for _, b in pairs.values())]
    largest = max((float(np.max(np.abs(b), initial=0.0)) for b in all_of_theirs), default=0.0)
    errors: dict[str, float] = {}
    for name, (a, b) in pairs.items():
        if np.shape(a) != np.shape(b):
            shapes = f"{name}: shape {np.shape(a)}, not {np.shape(b)}"
            return Row(check, f"{len(pairs)} arrays", float("inf"), False, shapes)
        scale = max(float(np.max(np.abs(b), initial=0.0)), 1e-4 * largest, 1e-300)
        error = float(np.max(np.abs(a - b), initial=0.0)) / scale
        errors[name] = float("inf") if np.isnan(error) else error
    worst = max(errors, key=lambda k: errors[k], default="")
    error = errors.get(worst, 0.0)
    if wholly and error <= tolerance:
        said = f"{wholly[0]}: no finite number, which proves nothing"
        return Row(check, f"{len(pairs)} arrays", 0.0, False, said)
    return Row(check, f"{len(pairs)} arrays", error, error <= tolerance, worst)


def _finite(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays, with zeros where both hold the same infinity or no number."""
    if a.shape != b.shape or np.isfinite(b).all():
        return a, b
    alike = ~np.isfinite(b) & ((a == b) | (np.isnan(a) & np.isnan(b)))
    return np.where(alike, 0, a), np.where(alike, 0, b)


def _signed(array: np.ndarray) -> np.ndarray:
    """Booleans and whole numbers as floats, whose difference may be negative."""
    return array.astype(np.float64) if array.dtype.kind in "bui" else array
