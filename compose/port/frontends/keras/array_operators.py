"""`array * variable` as an operator of the variable, where else the array would read the variable's numbers.

So with a symbolic value, which has no numbers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common.stateless_scope import in_stateless_scope

_READS = ("__jax_array__", "__torch_function__")  # how arrays of JAX and PyTorch read what is beside them


class _Hidden:
    """An attribute that is there within Keras's own inference of shapes alone."""

    def __init__(self, held: Any):
        self.held = held

    def __get__(self, one: Any, cls: Any) -> Any:
        if not in_stateless_scope():
            raise AttributeError
        return self.held.__get__(one, cls)


@contextlib.contextmanager
def left_to_symbols() -> Iterator[None]:
    """In the `with` block arrays leave their operators to variables and symbolic values beside them."""
    classes: Any = (*keras.Variable.__mro__, keras.KerasTensor)
    found = [(cls, name) for name in _READS for cls in classes if name in vars(cls)]
    held = [(cls, name, vars(cls)[name]) for cls, name in found]
    for cls, name, before in held:
        setattr(cls, name, _Hidden(before))
    try:
        yield
    finally:
        for cls, name, before in held:
            setattr(cls, name, before)
