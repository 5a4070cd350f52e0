"""`Trained`, the result of training: a network with its parameters, to predict with, save, or train further."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, DataError
from compose.core.hooks import hooks
from compose.core.layer import Layer
from compose.core.precision import compute_dtype
from compose.core.run import apply, as_arrays
from compose.train.evaluate import evaluate
from compose.train.examples import arrays
from compose.train.file import save
from compose.train.types import Data, LossLike, MetricLike, OptimizerLike, Precision, Rate


class _Kept:
    """The default of an option that `Trained.fit` and `Trained.evaluate` take from the last `fit`."""

    def __repr__(self) -> str:
        return "<as in the last fit>"


KEPT: Any = _Kept()


@dataclass(frozen=True)
class Session:
    """What resuming training needs besides the parameters. It is kept in memory, not in the model file."""

    options: dict[str, Any]
    optimizer: Any
    optimizer_key: Any  # equal for an optimizer made anew with the same settings
    optimizer_state: Any
    steps: int
    scale: Any = None  # the loss scale, in float16


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A network with its trained parameters. Immutable: `fit` returns a new one.

    Attributes:
        net: the network.
        params, state: its parameters and state, as `net.apply` takes them.
        history: one dict of floats per epoch: `epoch`, `seconds`, `loss`, the metrics, and the same names
            prefixed with `val_` if there is validation data.
        inputs: the `jax.ShapeDtypeStruct` of each input, with batch size 1.
        session: the options and the optimizer state of the `fit` that returned it; None after loading from a file.
    """

    net: Layer
    params: dict[str, Any]
    state: dict[str, Any]
    history: tuple[dict[str, float], ...]
    inputs: Any
    session: Session | None = None

    def fit(
        self,
        x: Data,
        y: Data,
        *,
        loss: LossLike = KEPT,
        optimizer: OptimizerLike = KEPT,
        learning_rate: Rate | None = KEPT,
        epochs: int = 1,
        batch_size: int = KEPT,
        validation: float | tuple[Data, Data] | None = None,
        metrics: MetricLike | Sequence[MetricLike] = KEPT,
        seed: int = KEPT,
        memory: int = KEPT,
        precision: Precision = KEPT,
        cache: str | os.PathLike | None = KEPT,
        verbose: bool = KEPT,
    ) -> Trained:
        """Continue training. Options default to those of the last `fit`, except `epochs` and `validation`.

        If the optimizer is unchanged its state continues too, so that `fit(epochs=5)` twice equals `fit(epochs=10)`.
        Another optimizer comes with its own learning rate. The options are those of `compose.train.fit`:

        Args:
            x, y: arrays whose first axis counts the examples, or tuples of arrays for several inputs or outputs.
            loss: a name, or a function of (predictions, targets).
            optimizer: an optax transformation, or a name.
            learning_rate: for an optimizer given by name: a number, or an optax schedule, which counts steps.
            epochs: how many more passes over the examples.
            batch_size: examples per step.
            validation: a fraction of the examples, taken from their end before any shuffling; or a pair (x, y).
            metrics: names, or functions of (predictions, targets).
            seed: for the order of the examples and for dropout.
            memory: bytes of examples to keep on the device; larger data are streamed from the host.
            precision: `"bfloat16"` or `"float16"` to compute in it; None for float32.
            cache: a folder in which compiled programs are kept.
            verbose: show a progress bar on a terminal, one line per epoch elsewhere.

        Raises `ConfigError` if a network loaded from a file is given no loss, and what `compose.train.fit` raises.
        """
        changes = dict(
            loss=loss, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, metrics=metrics,
            seed=seed, memory=memory, precision=precision, cache=cache, verbose=verbose,
        )  # fmt: skip
        changes = {name: value for name, value in changes.items() if value is not KEPT}
        last = dict(self.session.options) if self.session else {}
        if "optimizer" in changes:
            last.pop("learning_rate", None)
        options = {**last, **changes}
        if "loss" not in options:
            raise _no_loss()
        return hooks.fit(self.net, x, y, start=self, epochs=epochs, validation=validation, **options)

    def evaluate(
        self,
        x: Data,
        y: Data,
        *,
        loss: LossLike | None = None,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
        batch_size: int = 1024,
        precision: Precision = None,
    ) -> dict[str, float]:
        """The loss and the metrics on examples; None for those of the last `fit`.

        It computes in float32, unless `precision` is `"bfloat16"` or `"float16"`.

        Raises `DataError` and `LayerError` as `fit` does.
        """
        last = self.session.options if self.session else {}
        loss, metrics = loss or last.get("loss"), last.get("metrics", ()) if metrics is None else metrics
        if loss is None:
            raise _no_loss()
        return evaluate(
            self.net, self.params, self.state, x, y,
            loss=loss, metrics=metrics, batch_size=batch_size, precision=precision,
        )  # fmt: skip

    def predict(self, x: Data, batch_size: int = 1024, precision: Precision = None) -> jax.Array:
        """The output of the network for `x`, computed `batch_size` examples at a time.

        A network with several outputs returns a tuple of arrays. It computes in float32, unless `precision` is
        `"bfloat16"` or `"float16"`; the output is in float32.

        Raises `LayerError` if `x` does not fit the network, `DataError` if it has no examples.
        """
        x = arrays(x, "x")
        n = len(jax.tree.leaves(x)[0])
        if n == 0:
            raise DataError("no examples to predict")
        run = functools.partial(_forward(self.net, compute_dtype(precision)), self.params, self.state)
        if n <= batch_size:
            return run(as_arrays(x))
        batches = (slice(i, i + batch_size) for i in range(0, n, batch_size))
        outs = [run(as_arrays(jax.tree.map(operator.itemgetter(batch), x))) for batch in batches]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), *outs)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model file, which `compose.load` reads."""
        save(self, path)

    def export(self, path: str | os.PathLike, to: str | None = None, **options: Any) -> Any:
        """Write a file that runs without this package, proven against `predict`.

        Args:
            path: `"model.onnx"` or `"model.stablehlo"`: the ending is the format.
            to: the format, `"onnx"` or `"stablehlo"`, for a path with another ending.
            options: those of `compose.export.to_onnx` or `to_stablehlo`.

        Raises `ExportError` for a layer that the format cannot express.
        """
        return hooks.export(self, path, to, **options)

    def __repr__(self) -> str:
        last = (
            "".join(f", {k} {v:.4g}" for k, v in self.history[-1].items() if k not in ("epoch", "seconds"))
            if self.history
            else ""
        )
        return f"Trained({len(self.history)} epochs{last}):\n{self.net}"


def _no_loss() -> ConfigError:
    return ConfigError("a loss, since this network comes without the options it was trained with")


@functools.lru_cache(maxsize=128)
def _forward(net: Layer, dtype: Any):
    def forward(params, state, x):
        return apply(net, params, state, *(x if isinstance(x, tuple) else (x,)), precision=dtype)[0]

    return jax.jit(forward)
