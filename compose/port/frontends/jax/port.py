"""A trace lowered, and lowered again where one of its weights is read in several ways, or a module has to be opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.lengths import with_lengths
from compose.port.ir.graph import SourceGraph
from compose.port.ported import Ported
from compose.port.structure.sharing import Unshared


class Refused(PortError):
    """A module that was kept whole and whose rule does not know an option, but which can be read by its operations.

    Attributes:
        path: its place in the model.
        error: what its rule said.
    """

    def __init__(self, path: tuple[str, ...], error: PortError):
        super().__init__(str(error))
        self.path, self.error = path, error


def ported(lowering: Callable, reference: Any, frontend: str, partial: bool) -> Ported:
    """The port of a model.

    A weight that layers of different kinds read is then read as it is, by one `parameter`, and the modules that have it
    by their operations.

    Args:
        lowering: of the model, given inputs, the names of such weights, and the places of modules that are opened.
    """
    apart: frozenset[str] = frozenset()
    opened: dict[tuple[str, ...], PortError] = {}
    while True:
        try:
            low = lowering(reference.inputs(), apart, frozenset(opened))
            graph = low.run()
            low.refuse(partial)
            again = lambda inputs: _read(lowering(inputs, apart, frozenset(opened)))  # noqa: B023
            graph = with_lengths(graph, reference.inputs(), lambda inputs: _traceable(reference.model, inputs), again)
        except Refused as e:
            opened[e.path] = e.error
            continue
        except PortError as e:
            if not opened:
                raise
            first = next(iter(opened.values()))
            first.add_note(f"read by its operations instead: {e}")
            raise first from e
        try:
            return Ported.of(graph, reference, frontend)
        except Unshared as e:
            holders = {path: can for n in e.sources for path, can in low.holders.get(n, {}).items()}
            if e.sources <= apart or not all(holders.values()):
                raise
            apart |= e.sources
            opened |= dict.fromkeys(holders, e)


def _traceable(model: Any, inputs: list[np.ndarray]) -> bool:
    try:
        jax.eval_shape(lambda xs: model.run(model.arrays, xs)[0], inputs)
    except Exception:
        return False
    return True


def _read(low: Any) -> SourceGraph:
    graph = low.run()
    low.refuse(False)
    return graph
