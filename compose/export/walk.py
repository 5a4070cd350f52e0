"""The walk over the words of a network, which the writers of all formats make."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from compose.core.layer import Layer


class Walk:
    """Where in the network a writer is.

    Attributes:
        path: of the layer that is being written.
        scope: the layers of the `share`s around it, outermost first.
    """

    def __init__(self) -> None:
        self.path: tuple[str, ...] = ()
        self.scope: tuple[Any, ...] = ()

    def layer(self, layer: Layer, params: Any, state: Any, x: Any, key: str | None = None) -> Any:
        """Write a layer, under `key` if it adds one to the path: its output."""
        raise NotImplementedError

    def inside(self, key: str, layer: Layer, params: Any, x: Any, state: Any = None) -> Any:
        """Write a layer that is a field of another, on its part of the parameters."""
        return self.layer(layer, params.get(key, {}), (state or {}).get(key, {}), x, key)

    @contextlib.contextmanager
    def at(self, key: str | None) -> Iterator[None]:
        """In the `with` block, `key` is on the path; None adds nothing."""
        before = self.path
        self.path = before if key is None else (*before, key)
        try:
            yield
        finally:
            self.path = before
