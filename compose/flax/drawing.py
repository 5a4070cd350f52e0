"""Per-array initialisers from a function that initialises a whole tree at once."""

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
    """An initialiser: one leaf of the tree that `init(key, *args)` returns.

    The function is traced once for all leaves; each leaf runs only the equations that it needs.
    """

    init: Callable
    args: tuple
    leaf: int

    def draw(self, key, shape, dtype, fans):
        return _leaf(self.init, self.args, self.leaf, jax.typeof(key))(key)[0]


def params_of(init: Callable, *args: Any) -> Any:
    """The tree that `init(key, *args)` returns, as `Param`s. `init` and `args` must be hashable."""
    shapes = jax.eval_shape(lambda key: init(key, *args), jax.random.key(0))
    leaves, treedef = jax.tree.flatten(shapes)
    params: Any = [Param(s.shape, Drawn(init, args, i), s.dtype) for i, s in enumerate(leaves)]  # pyright: ignore
    return jax.tree.unflatten(treedef, params)


@functools.lru_cache(maxsize=256)
def _traced(init: Callable, args: tuple, key: Any) -> ClosedJaxpr:
    return jax.make_jaxpr(lambda k: jax.tree.leaves(init(k, *args)))(jax.ShapeDtypeStruct(key.shape, key.dtype))


@functools.lru_cache(maxsize=4096)
def _leaf(init: Callable, args: tuple, leaf: int, key: Any) -> Callable:
    """A function of the key that computes only one leaf."""
    closed = _traced(init, args, key)
    out = closed.jaxpr.outvars[leaf]
    needed, eqns = {out} if not isinstance(out, Literal) else set(), []
    for eqn in reversed(closed.jaxpr.eqns):
        if not needed.isdisjoint(eqn.outvars):
            eqns.append(eqn)
            needed.update(v for v in eqn.invars if not isinstance(v, Literal))
    names = closed.jaxpr.debug_info.with_unknown_names()
    return jaxpr_as_fun(
        ClosedJaxpr(closed.jaxpr.replace(eqns=eqns[::-1], outvars=[out], debug_info=names), closed.consts)
    )
