"""The catalogue, one family a file; the words in each file's `__all__` are public words of `compose`."""
