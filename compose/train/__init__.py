"""Training: examples in, a network that has learnt out."""

from compose.train.trained import Trained

__all__ = ["Trained"]
