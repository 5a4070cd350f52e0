"""Initial values that a foreign function draws all at once, one array at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from compose.core.param import Param


@dataclass(frozen=True)
class Drawn:
    """One leaf of the tree that `make(key, *given)` gives; an initialiser.

    The function is traced once for all of its leaves, and for each runs only what that leaf needs.
    """

    make: Callable
    given: tuple
    leaf: int

    def draw(self, key, shape, dtype, fans):
        return _leaf(self.make, self.given, self.leaf, jax.typeof(key))(key)[0]


def params_of(make: Callable, *given: Any) -> Any:
    """The tree that `make(key, *given)` gives as one of `Param`s. `make` and `given` are hashable."""
    shapes = jax.eval_shape(lambda key: make(key, *given), jax.random.key(0))
    leaves, treedef = jax.tree.flatten(shapes)
    params: Any = [Param(s.shape, Drawn(make, given, i), s.dtype) for i, s in enumerate(leaves)]  # pyright: ignore
    return jax.tree.unflatten(treedef, params)


@functools.lru_cache(maxsize=256)
def _traced(make: Callable, given: tuple, key: Any) -> ClosedJaxpr:
    return jax.make_jaxpr(lambda k: jax.tree.leaves(make(k, *given)))(jax.ShapeDtypeStruct(key.shape, key.dtype))


@functools.lru_cache(maxsize=4096)
def _leaf(make: Callable, given: tuple, leaf: int, key: Any) -> Callable:
    """The function of the key that computes one leaf and nothing else."""
    whole = _traced(make, given, key)
    out = whole.jaxpr.outvars[leaf]
    needed, kept = {out} if not isinstance(out, Literal) else set(), []
    for eqn in reversed(whole.jaxpr.eqns):
        if not needed.isdisjoint(eqn.outvars):
            kept.append(eqn)
            needed.update(v for v in eqn.invars if not isinstance(v, Literal))
    names = whole.jaxpr.debug_info.with_unknown_names()
    return jaxpr_as_fun(
        ClosedJaxpr(whole.jaxpr.replace(eqns=kept[::-1], outvars=[out], debug_info=names), whole.consts)
    )
