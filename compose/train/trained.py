"""What training returns: a network with its parameters, which predicts, saves and goes on."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import DataError
from compose.core.layer import Layer
from compose.core.run import apply, as_arrays


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A network and what it has learnt. Immutable: `fit` gives another.

    Attributes:
        net: the network.
        params, state: as `net.apply` takes them.
        history: one dict an epoch of plain floats: `epoch`, `loss`, the metrics, the same with `val_`
            in front where there is validation, `seconds`.
        inputs: the `jax.ShapeDtypeStruct`s of its input, for a batch of one.
    """

    net: Layer
    params: dict[str, Any]
    state: dict[str, Any]
    history: tuple[dict[str, float], ...]
    inputs: Any

    def predict(self, x, batch_size: int = 1024) -> Any:
        """The network's output for `x`, a batch of `batch_size` at a time.

        Raises `LayerError` where `x` does not fit the network, `DataError` for no examples.
        """
        x = as_arrays(x)
        n = len(jax.tree.leaves(x)[0])
        if n == 0:
            raise DataError("no examples to predict")
        run = functools.partial(_forward(self.net), self.params, self.state)
        if n <= batch_size:
            return run(x)
        parts = [run(jax.tree.map(lambda a: a[i : i + batch_size], x)) for i in range(0, n, batch_size)]
        return jax.tree.map(lambda *outs: jnp.concatenate(outs), *parts)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model file, which `compose.load` reads."""
        from compose.train.file import save

        save(self, path)

    def __repr__(self) -> str:
        last = "".join(f", {k} {v:.4g}" for k, v in self.history[-1].items() if k != "epoch") if self.history else ""
        return f"Trained({len(self.history)} epochs{last}):\n{self.net}"


@functools.lru_cache(maxsize=128)
def _forward(net: Layer):
    def forward(params, state, x):
        return apply(net, params, state, *(x if isinstance(x, tuple) else (x,)))[0]

    return jax.jit(forward)
