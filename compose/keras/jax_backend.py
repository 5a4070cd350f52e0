"""Keras's own JAX backend, while Keras runs on another: what its operations compute, for a trace of JAX."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def jax_backend() -> Iterator[None]:
    """In the `with` block Keras's operations compute on JAX arrays; a variable has the value of its scope."""
    if keras.backend.backend() == "jax":
        yield
        return
    import keras.src.backend as chosen
    import keras.src.backend.jax as wanted
    from keras.src.backend.jax import core

    public: Any = keras.backend
    names = [n for n in vars(wanted) if hasattr(chosen, n) and not n.startswith("__")]
    changed: list[tuple[types.ModuleType, str, Any]] = [(chosen, n, getattr(wanted, n)) for n in names]
    changed += [(chosen, "backend", lambda: "jax"), (public, "backend", lambda: "jax")]
    changed += [(core, "Variable", keras.Variable)]  # which it takes for one of its own
    before = [(module, name, getattr(module, name)) for module, name, _ in changed]
    for module, name, value in changed:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
