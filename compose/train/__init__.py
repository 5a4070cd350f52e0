"""Training: examples in, a network that has learnt out."""

from compose.train.file import load, save
from compose.train.trained import Trained

__all__ = ["Trained", "load", "save"]
