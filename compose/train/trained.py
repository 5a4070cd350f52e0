"""What training returns: a network with its parameters, which predicts, saves and goes on."""

from __future__ import annotations

import functools
import operator
import os
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.core.run import apply, as_arrays
from compose.train.examples import arrays


@dataclass(frozen=True)
class Session:
    """What going on with a training needs beside the parameters; kept in memory, not in the model file."""

    options: dict[str, Any]
    optimizer: Any
    optimizer_state: Any
    steps: int


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A network and what it has learnt. Immutable: `fit` gives another.

    Attributes:
        net: the network.
        params, state: as `net.apply` takes them.
        history: one dict an epoch of plain floats: `epoch`, `seconds`, `loss`, the metrics, and the same
            with `val_` in front where there is validation.
        inputs: the `jax.ShapeDtypeStruct`s of its input, for a batch of one.
        session: the options and the optimizer's state of the `fit` that made it; None once it was a file.
    """

    net: Layer
    params: dict[str, Any]
    state: dict[str, Any]
    history: tuple[dict[str, float], ...]
    inputs: Any
    session: Session | None = None

    def fit(self, x, y, **options) -> Trained:
        """Go on training: the options of the last `fit` hold where none are given, `validation` and `epochs` apart.

        With the optimizer unchanged its state goes on too, so that `fit(epochs=5)` twice is `fit(epochs=10)`.
        """
        from compose.train.fit import fit

        last = dict(self.session.options) if self.session else {}
        if "optimizer" in options:
            last.pop("learning_rate", None)
        if "loss" not in {**last, **options}:
            raise ConfigError("a loss, since this network comes without the options it was trained with")
        return fit(self.net, x, y, start=self, **{**last, **options})

    def evaluate(self, x, y, *, loss=None, metrics=None, batch_size: int = 1024) -> dict[str, float]:
        """The loss and the metrics of examples, those of the last `fit` where none are given.

        Raises `DataError` and `LayerError` as `fit` does.
        """
        from compose.train.evaluate import evaluate

        last = self.session.options if self.session else {}
        loss, metrics = loss or last.get("loss"), last.get("metrics", ()) if metrics is None else metrics
        if loss is None:
            raise ConfigError("a loss, since this network comes without the options it was trained with")
        return evaluate(self, x, y, loss=loss, metrics=metrics, batch_size=batch_size)

    def predict(self, x, batch_size: int = 1024) -> Any:
        """The network's output for `x`, a batch of `batch_size` at a time.

        Raises `LayerError` where `x` does not fit the network, `DataError` for no examples.
        """
        x = arrays(x, "x")
        n = len(jax.tree.leaves(x)[0])
        if n == 0:
            raise DataError("no examples to predict")
        run = functools.partial(_forward(self.net), self.params, self.state)
        if n <= batch_size:
            return run(as_arrays(x))
        batches = (slice(i, i + batch_size) for i in range(0, n, batch_size))
        outs = [run(as_arrays(jax.tree.map(operator.itemgetter(batch), x))) for batch in batches]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), *outs)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model file, which `compose.load` reads."""
        from compose.train.file import save

        save(self, path)

    def __repr__(self) -> str:
        last = (
            "".join(f", {k} {v:.4g}" for k, v in self.history[-1].items() if k not in ("epoch", "seconds"))
            if self.history
            else ""
        )
        return f"Trained({len(self.history)} epochs{last}):\n{self.net}"


@functools.lru_cache(maxsize=128)
def _forward(net: Layer):
    def forward(params, state, x):
        return apply(net, params, state, *(x if isinstance(x, tuple) else (x,)))[0]

    return jax.jit(forward)
