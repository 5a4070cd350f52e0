"""Modules kept whole in a trace: an operation of our own stands for the call of a module that a rule knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching

from compose.core.errors import PortError
from compose.port.frontends.flax.registry import class_rule
from compose.port.frontends.jax.inlining import SCOPE

WHOLE = Primitive("flax_module")
WHOLE.multiple_results = True
WHOLE.def_abstract_eval(lambda *_, shapes, **__: list(shapes))
_EACH_ROW = ("Dense", "Linear", "LayerNorm", "RMSNorm", "Dropout", "Embed", "PReLU")  # on the last axis alone

Path = tuple[str, ...]


def _mapped(args: Any, dims: Any, *, shapes: tuple, call: int, weights: int, each: bool) -> tuple[list, list]:
    """A whole module under `vmap`: once for each of stacked weights, or with one axis more where they are shared."""
    size = next(a.shape[d] for a, d in zip(args, dims) if d is not None)
    options: dict[str, Any] = {"call": call, "weights": weights, "each": each}
    if any(d is not None for d in dims[:weights]):
        turn = lambda i: [a if d is None else lax.index_in_dim(a, i, d, keepdims=False) for a, d in zip(args, dims)]
        made = [WHOLE.bind(*turn(i), shapes=shapes, **options) for i in range(size)]
        return [jnp.stack(row) for row in zip(*made)], [0] * len(shapes)
    places = {d for d in dims[weights:] if d is not None}
    (at,) = places if len(places) == 1 else (-1,)
    if at < 0 or None in dims[weights:] or not (each and at < args[-1].ndim - 1):
        raise PortError(
            "under vmap with shared weights a layer on the last axis, or with weights of their own for each iteration"
        )
    wider = tuple(ShapedArray((*s.shape[:at], size, *s.shape[at:]), s.dtype) for s in shapes)
    return WHOLE.bind(*args, shapes=wider, **options), [at] * len(shapes)


batching.primitive_batchers[WHOLE] = _mapped


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module that is kept whole.

    Attributes:
        module: the module, for its configuration.
        path, classes: where it is in the model, and the class at each place of its path.
        names: of its arrays, which come first among the operation's inputs.
        args: the tree of the call's `(args, kwargs)`, and its leaves that are no arrays, by place.
        out: the tree of what it returns.
        fixed_statistics: of a batch norm, whether this call normalises by its running statistics.
    """

    module: Any
    path: Path
    classes: Path
    names: tuple[str, ...]
    args: Any
    fixed: dict[int, Any]
    out: Any
    fixed_statistics: bool = False


@dataclass
class Recorder:
    """What a trace has met: the calls of whole modules, and the modules around everything else.

    Attributes:
        opened: the places of modules that are not kept whole.
    """

    calls: list[Call] = field(default_factory=list)
    scopes: list[tuple[Path, Path]] = field(default_factory=list)
    classes: dict[Path, str] = field(default_factory=dict)
    inside: bool = False
    opened: frozenset[Path] = frozenset()

    def around(self, module: Any, path: Path, arrays: Callable, run: Callable, args: tuple, kwargs: dict) -> Any:
        """Run a module's call: as one operation where a rule knows the module.

        `arrays()` gives the module's own arrays by name.
        """
        if self.inside:
            return run(*args, **kwargs)
        self.classes[path] = type(module).__name__
        classes = tuple(self.classes.get(path[: i + 1], "") for i in range(len(path)))
        if not _kept(module) or path in self.opened:
            self.scopes.append((path, classes))
            with jax.named_scope(f"{SCOPE}{len(self.scopes) - 1}"):
                return run(*args, **kwargs)
        self.inside = True
        try:
            out = run(*args, **kwargs)
        finally:
            self.inside = False
        weights = arrays()
        leaves, args_tree = jax.tree.flatten((args, kwargs))
        outs, out_tree = jax.tree.flatten(out)
        fixed = {i: leaf for i, leaf in enumerate(leaves) if not isinstance(leaf, (jax.Array, np.ndarray))}
        statistics = kwargs.get("use_running_average", args[1] if len(args) > 1 else None)
        statistics = getattr(module, "use_running_average", None) if statistics is None else statistics
        self.calls.append(Call(module, path, classes, tuple(weights), args_tree, fixed, out_tree, statistics is True))
        given = [leaf for i, leaf in enumerate(leaves) if i not in fixed]
        shapes = tuple(ShapedArray(o.shape, o.dtype) for o in outs)
        each = type(module).__name__ in _EACH_ROW
        made = WHOLE.bind(
            *weights.values(), *given, shapes=shapes, call=len(self.calls) - 1, weights=len(weights), each=each
        )
        return jax.tree.unflatten(out_tree, made)


_WHOLE_ALWAYS = (  # those that train in another way, and attention, whose operations have the length of the example
    "BatchNorm", "SpectralNorm", "Dropout", "MultiHeadDotProductAttention", "SelfAttention", "MultiHeadAttention",
)  # fmt: skip


def opens(module: Any) -> bool:
    """Whether a module's operations say all that it does: not one that trains in another way than it infers."""
    own = type(module).__name__
    draws = any(getattr(module, name, 0) for name in ("dropout_rate", "rate"))
    return own not in _WHOLE_ALWAYS and not draws and not getattr(module, "decode", False)


def _kept(module: Any) -> bool:
    """Whether the module has a rule; False for a module with a custom attention function."""
    own = getattr(module, "attention_fn", None)
    return class_rule(type(module)) is not None and (own is None or own.__module__.startswith(("flax.", "compose.")))
