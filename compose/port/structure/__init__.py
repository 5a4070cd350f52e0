"""From a graph of layers to one expression, with the map of its weights."""

from compose.port.structure.recover import recover

__all__ = ["recover"]
