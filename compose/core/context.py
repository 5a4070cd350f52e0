"""What reaches every layer at run time: the train flag, randomness, masks, and what is shared."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax

from compose.core.errors import ConfigError, LayerError, MissingRng

if TYPE_CHECKING:
    from compose.core.layer import Layer


@dataclass(frozen=True)
class Context:
    """Immutable; a combinator hands each child `ctx.at(key)` and forwards nothing else.

    Attributes:
        train: whether this is a training step (dropout draws, batch norm takes the batch's statistics).
        key: the rng given to `apply`, or None.
        path: the keys that lead here.
        mask: boolean `(batch, time)`, True where a step is real; None where all are.
        scope: the layers shared around here, innermost last.
        looped: how many of `scope` are outside a scan or a checkpoint, from where their state cannot be written.
        tap: is shown every inner value with its path; None but in `intermediates`.
        planned: collects the plans of layers inside a leaf while planning; None at run time.
        watch: collects `(function, input, output)` of every function layer that runs: how a loss finds the
            logits before a final softmax.
    """

    train: bool = False
    key: Any = None
    path: tuple[str, ...] = ()
    mask: Any = None
    scope: tuple[Any, ...] = ()
    looped: int = 0
    tap: Any = field(default=None, compare=False)
    planned: dict[str, Any] | None = field(default=None, compare=False)
    watch: list[tuple] | None = field(default=None, compare=False)

    def but(self, **changes) -> Context:
        return dataclasses.replace(self, **changes)

    def looping(self, **changes) -> Context:
        """The context inside a scan or a checkpoint."""
        return self.but(looped=len(self.scope), **changes)

    def at(self, key: str) -> Context:
        return dataclasses.replace(self, path=(*self.path, key))

    def rng(self, label: str = ""):
        """This layer's own random key: the network's, folded with a stable hash of the path.

        `label` tells several draws of one layer apart. Raises `MissingRng` if `apply` was given no rng.
        """
        if self.planned is not None:
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

        Such a layer may have parameters (PReLU), which live under `key`; state it may not have.
        """
        if self.planned is not None:
            return self._plan_inner(child, x, key)
        return child.call(params.get(key, {}), {}, x, self.at(key))[0]

    def _plan_inner(self, child: Layer, x, key: str):
        from compose.core.plan import plan_inside

        try:
            inner, y = plan_inside(child, x)
        except LayerError as e:
            raise e.enter(key, ())
        if inner.state:
            raise ConfigError(
                f"a {key} without state", f"{child}, which keeps {', '.join(inner.state)}",
                f"put it after the layer: compose_seq(..., {child})",
            )  # fmt: skip
        assert self.planned is not None
        self.planned[key] = inner
        return y


def path_hash(path: tuple[str, ...]) -> int:
    """A hash of a path that is the same in every process, for `jax.random.fold_in`."""
    return zlib.crc32("/".join(path).encode())
