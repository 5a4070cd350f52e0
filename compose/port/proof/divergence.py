"""The first layer of a port that differs from the source, for the message of a failed proof."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import LayerError
from compose.port.proof.reference import perturbed
from compose.port.proof.report import Report
from compose.port.result import Result


def first_divergence(port: Result, report: Report, seed: int) -> str:
    """One or two lines that name the first layer whose output the source never computes, or the weight that differs."""
    failed = next(row for row in report.rows if not row.ok)
    if failed.check == "weights":
        return f"weights that are not used exactly once: {failed.worst}"
    if failed.check == "branches":
        return failed.worst
    if failed.check == "witness":
        return f"the reference itself computes something else than {failed.what}: one of them misreads the source"
    if failed.check == "outputs":
        path = _first_unmatched(port, seed)
        if path is not None:
            return f"the first layer that differs: {path} = {_layer(port, path)}{_origin(port, path)}"
    records = [r for r in port.weights if r.view.source == failed.worst]
    if records:
        path = records[0].target.rpartition("/")[0]
        return f"the weight that differs most: {records[0]}, of {_layer(port, path)}"
    return "no single layer could be named: every intermediate value agrees"


def _first_unmatched(port: Result, seed: int) -> str | None:
    """The path of our first intermediate value that the source does not compute, up to a permutation of its axes."""
    arrays, inputs = perturbed(port.graph.arrays, seed), port.reference.inputs()
    theirs: dict[int, list[np.ndarray]] = {}
    for value in port.reference.intermediates(arrays, inputs):
        theirs.setdefault(value.size, []).append(np.sort(value, axis=None))
    with jax.enable_x64(True):
        params, state = port.weights.load(arrays, jnp.asarray)
        ours = port.exact.intermediates(params, state, *port.ours(inputs))
        for path, value in ours.items():
            if isinstance(value, tuple):
                continue
            mine = np.sort(np.asarray(value), axis=None)
            scale = float(np.max(np.abs(mine), initial=1e-30))
            if not any(np.allclose(mine, other, rtol=0, atol=1e-8 * scale) for other in theirs.get(mine.size, [])):
                return path
    return None


def _layer(port: Result, path: str) -> Any:
    """The layer at the path of a value, in which the iterations of a repeat are numbers."""
    for candidate in (path, "/".join(p for p in path.split("/") if not p.isdigit())):
        try:
            return " ".join(str(port.net[candidate]).split())[:120]
        except LayerError:
            continue
    return "?"


def _origin(port: Result, path: str) -> str:
    bare = "/".join(p for p in path.split("/") if not p.isdigit())
    inside = (f"{bare}/", f"{path}/")
    sources = [r.view.source for r in port.weights if r.target.startswith(inside)]
    if not sources:
        return ""
    where = next((op.where for op in port.graph.ops for t in op.views() if t.source == sources[0]), "")
    return f"\n  from {sources[0]}" + (f", called at {where}" if where else "")
