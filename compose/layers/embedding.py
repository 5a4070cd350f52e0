"""embedding."""

__all__ = []
