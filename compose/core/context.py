"""What every layer is called with: the train flag, the rng, the mask, and the layers shared around it."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax

from compose.core.errors import MissingRng

if TYPE_CHECKING:
    from compose.core.function import Function
    from compose.core.layer import Layer


class Call(NamedTuple):
    """One call of a layer: what it was called with, and its output."""

    layer: Layer
    params: Any
    state: Any
    x: Any
    ctx: Context
    y: Any


class Planner(Protocol):
    """Plans the layers that a leaf runs inside itself, while the leaf is planned: see `compose.core.plan`."""

    def run(self, key: str, child: Layer, x: Any) -> Any:
        """Plan `child` under `key` for the input `x`; its output."""
        ...


@dataclass(frozen=True)
class Context:
    """Immutable configuration of one call; a combinator passes each child `ctx.at(key)` and nothing else.

    The last four fields observe a trace from outside. They are None in `apply`, layers never read what they
    collect, and each belongs to whoever started the trace.

    Attributes:
        train: whether this is a training step (dropout draws, batch norm uses the statistics of the batch).
        key: the rng given to `apply`, or None.
        path: the keys that lead here.
        mask: boolean `(batch, time)`, True at real steps; None if all are real.
        scope: the layers shared around here, innermost last.
        looped: how many of `scope` are outside a scan or a checkpoint, where their state cannot be updated.
        planner: plans the layers inside a leaf while the leaf is planned.
        on_layer: called with the path of every layer that a combinator runs, and with its call (`intermediates`,
            `profile`).
        on_call: called with every call of a layer outside of loops and checkpoints, which stay as they are (a loss
            looks for the mask of an output).
        on_function: called with every function layer that runs, its input and its output (a loss looks for the
            logits before a final softmax).
    """

    train: bool = False
    key: Any = None
    path: tuple[str, ...] = ()
    mask: Any = None
    scope: tuple[Any, ...] = ()
    looped: int = 0
    planner: Planner | None = field(default=None, compare=False)
    on_layer: Callable[[tuple[str, ...], Call], None] | None = field(default=None, compare=False)
    on_call: Callable[[Call], None] | None = field(default=None, compare=False)
    on_function: Callable[[Function, Any, Any], None] | None = field(default=None, compare=False)

    def but(self, **changes) -> Context:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)

    def looping(self, **changes) -> Context:
        """The context inside a scan or a checkpoint, whose values cannot be observed from outside."""
        return self.but(looped=len(self.scope), on_layer=None, on_call=None, **changes)

    def at(self, key: str) -> Context:
        """The context of the child under `key`."""
        return dataclasses.replace(self, path=(*self.path, key))

    def call(self, key: str, child: Layer, params, state, x) -> tuple[Any, Any]:
        """Run the layer under `key` on its part of `params` and `state`: its output and its new state.

        Profilers show its operations under the same path as its parameters.
        """
        inner, own, held = self.at(key), params.get(key, {}), state.get(key, {})
        with jax.named_scope(key):
            y, after = child.call(own, held, x, inner)
        if self.on_layer is not None:
            self.on_layer(inner.path, Call(child, own, held, x, inner, y))
        if self.on_call is not None:
            self.on_call(Call(child, own, held, x, inner, y))
        return y, after

    def rng(self, label: str = ""):
        """This layer's random key: the rng of the network, folded with a stable hash of the path.

        `label` distinguishes several draws of one layer. Raises `MissingRng` if `apply` was given no rng.
        """
        if self.planner is not None:
            return jax.random.key(0)
        if self.key is None:
            missing = MissingRng(
                "an rng, since this layer draws random numbers in training",
                "rng=None",
                "pass one: apply(params, state, x, rng=jax.random.key(0), train=True)",
            )
            missing.path = self.path
            raise missing
        return jax.random.fold_in(self.key, path_hash((*self.path, label) if label else self.path))

    def run(self, child: Layer, params, x, key: str = "activation"):
        """Run a layer that is a field of this one, such as an activation, on its part of `params`.

        Such a layer may have parameters (PReLU), stored under `key`, but no state.
        """
        if self.planner is not None:
            return self.planner.run(key, child, x)
        with jax.named_scope(key):
            return child.call(params.get(key, {}), {}, x, self.at(key))[0]


def path_hash(path: tuple[str, ...]) -> int:
    """A hash of a path, equal in every process, for `jax.random.fold_in`."""
    return zlib.crc32("/".join(path).encode())
