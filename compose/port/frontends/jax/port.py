"""A trace lowered, and lowered again where one of its weights is read in several ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compose.port.ported import Ported
from compose.port.structure.sharing import Unshared


def ported(lowering: Callable, reference: Any, frontend: str, partial: bool) -> Ported:
    """The port of a model.

    A weight that layers of different kinds read is first read as it is, by one `parameter`.

    Args:
        lowering: of the model and the names of such weights.
    """
    apart: frozenset[str] = frozenset()
    while True:
        low = lowering(apart)
        graph = low.run()
        low.refuse(partial)
        try:
            return Ported.of(graph, reference, frontend)
        except Unshared as e:
            if e.source in apart or e.source not in low.plain:
                raise
            apart |= {e.source}
