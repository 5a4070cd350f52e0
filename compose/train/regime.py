"""What a training step does besides the loss and the optimizer: penalties and averaged parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.core.patterns import chosen

KERNELS = "**/kernel"  # what a penalty that is one number applies to, as Keras's `kernel_regularizer`


@dataclass(frozen=True)
class Regime:
    """Penalties by path, the decay of the averaged parameters, and how many steps accumulate one update."""

    l1: tuple[tuple[str, float], ...] = ()
    l2: tuple[tuple[str, float], ...] = ()
    ema: float | None = None
    accumulate: int = 1

    @property
    def penalised(self) -> bool:
        return bool(self.l1 or self.l2)

    def check(self, training: Any) -> None:
        """Raise `ConfigError` for a pattern that fits none of the parameters that train."""
        for what, rules in (("l1", self.l1), ("l2", self.l2)):
            chosen(dict(rules), training, what)

    def penalty(self, training: Any) -> Any:
        """The sum of `l1·|w|` and of `l2·w²` over the parameters that train, in float32 or wider."""
        total = jnp.zeros((), jnp.float32)
        for what, rules, size in (("l1", self.l1, jnp.abs), ("l2", self.l2, jnp.square)):
            factors = chosen(dict(rules), training, what, default=0.0)
            for factor, w in zip(jax.tree.leaves(factors), jax.tree.leaves(training)):
                if factor:
                    wide = w.astype(jnp.promote_types(w.dtype, jnp.float32))
                    total = total + factor * jnp.sum(size(wide))
        return total

    def averaged(self, average: Any, training: Any, opt_state: Any) -> Any:
        """The average after a step. While gradients accumulate, the parameters do not change, nor does it."""
        after = optax.incremental_update(training, average, 1 - self.ema) if self.ema is not None else average
        if self.accumulate == 1:
            return after
        done = opt_state.mini_step == 0
        return jax.tree.map(lambda a, b: jnp.where(done, a, b), after, average)


def regime_of(l1: Any, l2: Any, ema: Any, accumulate: int) -> Regime | None:
    """The regime for arguments of `fit`; None if there is nothing to do. Raises `ConfigError`."""
    if ema is not None and (isinstance(ema, bool) or not isinstance(ema, (int, float)) or not 0 < ema < 1):
        raise ConfigError("ema, the decay of the averaged parameters, between 0 and 1, such as 0.999", repr(ema))
    regime = Regime(_rules("l1", l1), _rules("l2", l2), ema, accumulate)
    return regime if regime.penalised or ema is not None else None


def _rules(what: str, given: Any) -> tuple[tuple[str, float], ...]:
    if given is None:
        return ()
    rules = dict(given) if isinstance(given, Mapping) else {KERNELS: given}
    for value in rules.values():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise ConfigError(f"{what} to be a number of at least 0, or a dict of these by pattern", repr(given))
    return tuple((pattern, float(value)) for pattern, value in rules.items())
