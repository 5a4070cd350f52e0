"""`Trained`, the result of training: a network with its parameters, to predict with, save, or train further."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from compose.core.errors import ConfigError
from compose.core.hooks import hooks
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.data.dataset import Dataset
from compose.distributed.exchange import local
from compose.sharding.mesh import Devices
from compose.sharding.rules import Rules
from compose.train.alike import like_trained
from compose.train.checkpoints import checkpoint as Checkpoint
from compose.train.evaluate import evaluate
from compose.train.file import save
from compose.train.keywords import knows_keywords
from compose.train.named import UNNAMED, Names, pair, raw
from compose.train.predict import check_batch_size, predict
from compose.train.session import KEPT, OF_A_LOSS, Session, options_with, without
from compose.train.types import ClassWeight, Data, Losses, Metrics, OptimizerLike, Precision, Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A network with its trained parameters. Immutable: `fit` returns a new one.

    Attributes:
        net: the network.
        params, state: its parameters and state, as `net.apply` takes them.
        history: one dict of floats per epoch: `epoch`, `seconds`, `loss`, the metrics, and the same names
            prefixed with `val_` if there is validation data.
        inputs: the `jax.ShapeDtypeStruct` of each input, with batch size 1.
        session: the options and the optimizer state of the `fit` that returned it; after loading from a file, what the
            file keeps of it, or None.
        interrupted: whether Ctrl-C ended it before its last epoch.
        names: what it keeps of its data set: `names.classes`, `names.columns` of a table, `names.features` of a data
            frame of numbers.
    """

    net: Layer
    params: dict[str, Any]
    state: dict[str, Any]
    history: tuple[dict[str, float], ...]
    inputs: Any
    session: Session | None = None
    interrupted: bool = False
    names: Names = UNNAMED

    @knows_keywords
    def fit(
        self,
        x: Data | Callable[..., Any] | Iterable[Any],
        y: Data | None = None,
        *,
        loss: Losses = KEPT,
        optimizer: OptimizerLike = KEPT,
        learning_rate: Rate | Mapping[str, Rate] | None = KEPT,
        epochs: int = 1,
        batch_size: int = KEPT,
        steps_per_epoch: int | None = KEPT,
        validation: float | tuple[Data, Data] | Dataset | Iterable[Any] | Callable[..., Any] | None = None,
        metrics: Metrics = KEPT,
        sample_weight: ArrayLike | Mapping[str, Any] | None = None,
        class_weight: ClassWeight | Mapping[str, ClassWeight] | None = KEPT,
        loss_weights: Mapping[str, float] | None = KEPT,
        ignore_label: int | None = KEPT,
        logits: bool | None = KEPT,
        l1: float | Mapping[str, float] | None = KEPT,
        l2: float | Mapping[str, float] | None = KEPT,
        clip: float | None = KEPT,
        accumulate: int = KEPT,
        ema: float | None = KEPT,
        freeze: str | Sequence[str] = KEPT,
        callbacks: Any = (),
        checkpoint: str | os.PathLike | Checkpoint | None = None,
        seed: int = KEPT,
        inputs: Any = None,
        memory: int = KEPT,
        precision: Precision = KEPT,
        devices: Devices | None = KEPT,
        mesh: Mesh | None = KEPT,
        sharding: Rules | None = KEPT,
        cache: str | os.PathLike | None = KEPT,
        verbose: bool = KEPT,
    ) -> Trained:
        """Continue training. Options default to those of the last `fit`, except `epochs`, `validation`,
        `sample_weight`, `callbacks` and `checkpoint`.

        If the optimizer is unchanged its state continues too, so that `fit(epochs=5)` twice equals `fit(epochs=10)`.
        Another optimizer comes with its own learning rate. The options are those of `compose.train.fit`:

        Args:
            x, y: arrays whose first axis counts the examples, or tuples of arrays for several inputs or outputs; or
                a data set.
            loss: a name, or a function of (predictions, targets).
            optimizer: an optax transformation, or a name.
            learning_rate: for an optimizer given by name: a number, or an optax schedule, which counts steps.
            epochs: how many more passes over the examples.
            batch_size, steps_per_epoch: examples per step; steps in an epoch of a stream.
            validation: a fraction of the examples, taken from their end before any shuffling; or a pair (x, y).
            metrics: names, or functions of (predictions, targets).
            sample_weight, class_weight, loss_weights, ignore_label, logits: as in `compose.fit`.
            l1, l2, clip, accumulate, ema, freeze, callbacks, checkpoint, inputs: as in `compose.fit`.
            seed: for the order of the examples and for dropout.
            memory: bytes of examples to keep on the device; larger data are streamed from the host.
            precision: `"bfloat16"` or `"float16"` to compute in it; None for float32.
            devices, mesh, sharding: as in `compose.fit`; other devices do not keep the sharding.
            cache: a folder in which compiled programs are kept.
            verbose: show a progress bar on a terminal, one line per epoch elsewhere.

        Raises `ConfigError` if a network loaded from a file is given no loss, and what `compose.train.fit` raises.
        """
        changes = dict(
            loss=loss, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, metrics=metrics,
            steps_per_epoch=steps_per_epoch, class_weight=class_weight, loss_weights=loss_weights,
            ignore_label=ignore_label, logits=logits, l1=l1, l2=l2, clip=clip, accumulate=accumulate, ema=ema,
            freeze=freeze, seed=seed, memory=memory, precision=precision, devices=devices, mesh=mesh,
            sharding=sharding, cache=cache, verbose=verbose,
        )  # fmt: skip
        changes = {name: value for name, value in changes.items() if value is not KEPT}
        last = dict(self.session.options) if self.session else {}
        if "optimizer" in changes:
            last.pop("learning_rate", None)
        if "devices" in changes or "mesh" in changes:
            last = without(last, "devices", "mesh", "sharding")
        if "loss" in changes:
            last = without(last, *OF_A_LOSS)
        options = {**last, **changes}
        if "loss" not in options:
            raise _no_loss()
        return hooks.fit(
            self.net, x, y, start=self, epochs=epochs, validation=validation, sample_weight=sample_weight,
            callbacks=callbacks, checkpoint=checkpoint, inputs=inputs, **options,
        )  # fmt: skip

    @knows_keywords
    def evaluate(
        self,
        x: Data | Callable[..., Any] | Iterable[Any],
        y: Data | None = None,
        *,
        loss: Losses | None = None,
        metrics: Metrics | None = None,
        sample_weight: ArrayLike | Mapping[str, Any] | None = None,
        loss_weights: Mapping[str, float] | None = KEPT,
        ignore_label: int | None = KEPT,
        logits: bool | None = KEPT,
        batch_size: int = 1024,
        precision: Precision = None,
        verbose: bool = False,
    ) -> dict[str, Any]:
        """The loss and the metrics on examples, over all of them; None for those of the last `fit`.

        `x` may be a stream of batches (x, y) or (x, y, sample_weight), as in `compose.fit`, which is read to its end;
        for a network that was trained on a table, a data frame or a dict of columns with the target among them. A
        metric that is not a single number, `confusion`, is an array. Options are those of `compose.fit`; without
        `precision` it computes in float32. `verbose` shows a progress bar on a terminal, one line at the end elsewhere.

        Raises `DataError` and `LayerError` as `fit` does.
        """
        x, y = pair(raw(x, self.names, targets=y is None), y)
        last = options_with(self.session, loss)
        loss, metrics = loss or last.get("loss"), last.get("metrics", ()) if metrics is None else metrics
        if loss is None:
            raise _no_loss()
        kept: dict[str, Any] = {
            name: last.get(name) if value is KEPT else value
            for name, value in (("loss_weights", loss_weights), ("ignore_label", ignore_label), ("logits", logits))
        }
        check_batch_size(batch_size)
        with like_trained(self.inputs):
            return evaluate(
                self.net, self.params, self.state, x, y, loss=loss, metrics=metrics, sample_weight=sample_weight,
                batch_size=batch_size, precision=precision, inputs=self.inputs, verbose=verbose, **kept,
            )  # fmt: skip

    @knows_keywords
    def predict(
        self,
        x: Data | Callable[..., Any] | Iterable[Any],
        batch_size: int = 1024,
        precision: Precision = None,
        verbose: bool = False,
    ) -> jax.Array:
        """The output of the network for `x`, computed `batch_size` examples at a time.

        A network with several outputs returns a tuple of arrays. It computes in float32, unless `precision` is
        `"bfloat16"` or `"float16"`; the output is in float32.

        Args:
            x: arrays or a data set, or a stream as `fit` takes it, whose batches are x, (x, y) or (x, y,
                sample_weight): what does not belong to the network's inputs is left out. The outputs are in the order
                of the data. A network that was trained on a table takes data frames and dicts of columns.
            batch_size: how many examples to compute at a time; streams have their own batches.
            precision: as in `compose.fit`.
            verbose: show a progress bar on a terminal, one line at the end elsewhere.

        Raises `LayerError` if `x` does not fit the network, `DataError` if it has no examples.
        """
        x = pair(raw(x, self.names, targets=False), None)[0]
        params, state = local((self.params, self.state))
        with like_trained(self.inputs):
            return predict(self.net, params, state, self.inputs, x, batch_size, precision, verbose)

    def save(self, path: str | os.PathLike, optimizer: bool = False) -> None:
        """Write the model file, which `compose.load` reads.

        With `optimizer`, what going on with the training takes is in it too: the optimizer's state, the number of
        steps, and the parameters themselves where `params` are their averages. Of several processes that trained
        together, all call it, and process 0 writes.
        """
        save(self, path, optimizer)

    def export(self, path: str | os.PathLike, to: str | None = None, **options: Any) -> Any:
        """Write a file that runs without this package, proven against `predict`.

        Args:
            path: `"model.onnx"`, `"model.stablehlo"` or `"model.tflite"`: the ending is the format; without one it is
                a folder, a SavedModel.
            to: the format, `"onnx"`, `"stablehlo"`, `"savedmodel"`, `"litert"`, `"torch"` or `"keras"`, for a path with
                another ending, such as `"net.py"`.
            options: those of `compose.export.to_onnx`, `to_stablehlo`, `to_savedmodel`, `to_litert`, `to_torch` or
                `to_keras`.

        Raises `ExportError` for a layer that the format cannot express.
        """
        return hooks.export(self._local(), path, to, **options)

    def plot(self, path: str | os.PathLike | None = None) -> Figure:
        """The history as a matplotlib figure, a panel for each score: training, validation, and where that turns.

        With a `path` ending in .png, .svg or .pdf it is written too. Other plots are in `compose.plots`.
        """
        from compose.plots.history import history

        return history(self, path)

    def report(
        self,
        path: str | os.PathLike,
        x: Data,
        y: Data | None = None,
        *,
        names: Sequence[Any] = (),
        title: str = "",
        loss: Losses | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Write an HTML page about the network and what it does on these examples; it needs no other file.

        The page has the network as text, table and diagram, the history, the loss and the metrics, and what fits the
        targets: for classes the confusion matrix, ROC and precision-recall curves and the worst predictions with their
        pictures, for numbers the residuals; the filters of a first layer that looks at images.

        Args:
            path: the file, `"report.html"`.
            x, y: examples, as in `evaluate`.
            names: the names of the classes; those that the network was trained with without.
            title: of the page.
            loss, metrics: as in `evaluate`; None for those of the last `fit`.

        Raises `ConfigError` for a loss that runs the network itself, and what `evaluate` raises.
        """
        x, y = pair(raw(x, self.names, targets=y is None), y)
        hooks.report(self._local(), path, x, y, names=names or self._classes(), title=title, loss=loss, metrics=metrics)

    def _local(self) -> Trained:
        """The same with parameters that this process has whole."""
        params, state = local((self.params, self.state))
        return replace(self, params=params, state=state) if params is not self.params else self

    def _classes(self) -> tuple[str, ...]:
        """The names of the classes, if the output has as many; one output decides between two."""
        out, classes = self.net.out(*arguments(self.inputs)), self.names.classes
        return classes if isinstance(out[-1], int) and len(classes) == max(out[-1], 2) else ()

    def __repr__(self) -> str:
        last = (
            "".join(f", {k} {v:.4g}" for k, v in self.history[-1].items() if k not in ("epoch", "seconds"))
            if self.history
            else ""
        )
        return f"Trained({len(self.history)} epochs{last}):\n{self.net}"


def _no_loss() -> ConfigError:
    return ConfigError("a loss, since this network comes without the options it was trained with")
