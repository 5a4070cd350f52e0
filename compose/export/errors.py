"""The error of a network that cannot be exported."""

from __future__ import annotations

from compose.core.errors import LayerError


class ExportError(LayerError):
    """A layer that the format cannot express, or an export that does not compute what the network does."""
