"""Writing text with a language model: one token after the other, with the caches of `decoding`."""

from compose.train.generation.generate import generate

__all__ = ["generate"]
