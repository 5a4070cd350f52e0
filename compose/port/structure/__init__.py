"""From a graph of layers to one expression, with the way of every weight into it."""

from compose.port.structure.recover import recover

__all__ = ["recover"]
