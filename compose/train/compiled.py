"""A jitted function that compiles before its first call of each kind, so that one can say that it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax


class Compiled:
    """`jitted`, a function of trees of arrays and of static arguments by name."""

    def __init__(self, jitted: Any):
        self.jitted = jitted
        self.kinds: set[Any] = set()

    def lower(self, *args: Any, **static: Any) -> Any:
        """As `jax.jit(f).lower`."""
        return self.jitted.lower(*args, **static)

    def __call__(self, *args: Any, compiling: Callable[[], AbstractContextManager] = nullcontext, **static: Any) -> Any:
        """Call the function; if it must be compiled first, that happens within `compiling()`."""
        leaves, tree = jax.tree.flatten(args)
        kind = tree, tuple((jax.numpy.shape(a), getattr(a, "dtype", type(a))) for a in leaves), tuple(static.items())
        if kind not in self.kinds:
            with compiling():
                self.jitted.lower(*args, **static).compile()  # the call below finds what this compiled
            self.kinds.add(kind)
        return self.jitted(*args, **static)
