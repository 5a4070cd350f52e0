"""`fit`: train a network on examples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.core.precision import compute_dtype
from compose.core.warning import warn
from compose.data.dataset import Dataset
from compose.sharding.mesh import Devices
from compose.sharding.rules import Rules
from compose.train.batches import steps_of
from compose.train.checkpoints import checkpoint as Checkpoint
from compose.train.checkpoints import checkpoint_of
from compose.train.custom import is_custom
from compose.train.disk_cache import disk_cache
from compose.train.distribution_of import distribution_of
from compose.train.examples import brief, examples, hold_out
from compose.train.foreign import is_rows
from compose.train.freezing import freeze_of
from compose.train.keywords import knows_keywords
from compose.train.loop import train
from compose.train.named import in_order, names_of, pair
from compose.train.optimizers import optimizer_of
from compose.train.regime import regime_of
from compose.train.schedules import sized
from compose.train.scoring_of import scoring_of
from compose.train.stream import Stream, check_stream_options, is_stream, stream_of
from compose.train.task import Task
from compose.train.trained import Trained
from compose.train.types import ClassWeight, Data, Losses, Metrics, OptimizerLike, Precision, Rate


@knows_keywords
def fit(
    net: Layer,
    x: Data | Callable[..., Any] | Iterable[Any],
    y: Data | None = None,
    *,
    loss: Losses,
    optimizer: OptimizerLike = "adam",
    learning_rate: Rate | Mapping[str, Rate] | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    steps_per_epoch: int | None = None,
    validation: float | tuple[Data, Data] | Dataset | Iterable[Any] | Callable[..., Any] | None = None,
    metrics: Metrics = (),
    sample_weight: ArrayLike | Mapping[str, Any] | None = None,
    class_weight: ClassWeight | Mapping[str, ClassWeight] | None = None,
    loss_weights: Mapping[str, float] | None = None,
    ignore_label: int | None = None,
    logits: bool | None = None,
    l1: float | Mapping[str, float] | None = None,
    l2: float | Mapping[str, float] | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    ema: float | None = None,
    freeze: str | Sequence[str] = (),
    callbacks: Any = (),
    checkpoint: str | os.PathLike | Checkpoint | None = None,
    seed: int = 0,
    start: Trained | tuple[dict[str, Any], dict[str, Any]] | Any = None,
    inputs: Any = None,
    memory: int = 2 << 30,
    precision: Precision = None,
    devices: Devices | None = None,
    mesh: Mesh | None = None,
    sharding: Rules | None = None,
    cache: str | os.PathLike | None = None,
    verbose: bool = True,
) -> Trained:
    """Train `net` on inputs `x` and targets `y`.

    Training is bitwise reproducible for a given seed: parameters are `net.init(seed, x)`, epoch `e` (from 0) visits the
    examples in the order `np.random.default_rng([seed, e]).permutation(n)`, and step `s` (from 0) passes
    `jax.random.fold_in(jax.random.key(seed), s)` to layers that use randomness. A smaller last batch is used
    too. Ctrl-C finishes the running steps and returns the network trained so far; the interrupted epoch is
    not recorded in the history, and a later `fit` starts it again.

    Args:
        x, y: arrays with examples along the first axis, or tuples of them for several inputs or outputs; whatever has
            `__array__`, such as tables of pandas and polars and tensors of torch and TensorFlow, is one. Or, without
            `y`, a data set of `compose.data`, whose names of classes and columns the result keeps; or a stream of
            batches (x, y) or (x, y, sample_weight): a function that returns an iterator for an epoch (given the
            epoch's number from 0, if it has a parameter), a loader of grain, torch or TensorFlow, an iterator; or a
            data set with `len(data)` and `data[i]`, a pair (x, y).
        loss: a name, or a loss with options such as `losses.huber(delta=2.0)`, or a function of (predictions, targets)
            that returns a scalar or an array to average. For numbers: `mse`, `mae`, `huber`, `log_cosh`, `quantile`,
            `poisson`, `cosine`. For classes, as integer or one-hot labels: `cross_entropy`, `focal`; for distributions:
            `kl`. For targets of 0 and 1: `binary_cross_entropy`, `binary_focal`, `hinge`. For two or three outputs:
            `contrastive`, `triplet`; for label sequences: `ctc`. Losses on logits, and optax's, skip a final softmax,
            log_softmax or sigmoid of the network, which is applied for predictions and metrics. A dict gives outputs a
            loss each, by the names of the layers that they come from; `y` is then a dict, or a tuple in their order.
        optimizer: an optax transformation, or a name (`adam`, `rmsprop`, `sgd`, ...).
        learning_rate: for an optimizer given by name: a number, one of `compose.schedules`, or an optax schedule over
            steps. A dict from patterns of paths to these gives each parameter that of the first pattern that fits, as
            in `{"head/**": 1e-3, "**": 1e-5}`.
        epochs: number of passes over the examples.
        batch_size: examples per step. Streams have their own.
        steps_per_epoch: for streams, the number of batches that count as an epoch; the next one continues from there.
        validation: a fraction of the examples, taken from the end before shuffling; or a pair (x, y), or (x, y,
            sample_weight), a data set, or a stream.
        metrics: names, or metrics with options such as `metrics.top_k(3)`, or functions of (predictions, targets). For
            classes and binary targets: `accuracy`, `binary_accuracy`, `top_5`, `precision`, `recall`, `f1`, `auc`,
            `average_precision`; for numbers: `mse`, `mae`, `rmse`, `r2`; any loss by name. They are computed over all
            the data, not as means of batches, and without weights. A dict gives outputs their own.
        sample_weight: a weight for each example, or for each value of the loss, `(n, time)` for steps; a dict by
            output. The loss is the mean of weight times value.
        class_weight: a dict from class to weight, one number for each class, or `"balanced"`; a dict of these by
            output. It multiplies the weights of the examples, and does not apply to validation.
        loss_weights: a dict from output to the factor of its loss in their sum; 1 if missing.
        ignore_label: a label, such as -1 or -100, whose targets do not count in loss and metrics. Steps that
            `masked(...)` finds to be padding never count.
        logits: for a loss of your own, whether it takes logits: True skips a final softmax or sigmoid for it.
        l1, l2: penalties added to the loss that is minimised, `l1·|w|` and `l2·w²` summed over parameters: a number for
            every `kernel`, or a dict from patterns of paths to numbers. Scores are without them.
        clip: the largest global norm of the gradients.
        accumulate: how many batches one update of the parameters averages its gradients over.
        ema: the decay of an exponential moving average of the parameters, such as 0.999. `Trained` and validation have
            the average; a later `fit` goes on with the parameters themselves.
        freeze: patterns of paths of parameters to leave as they are. A layer all of whose parameters are frozen runs in
            inference mode, as in `frozen(layer)`.
        callbacks: a function of an event, called at the end of every epoch, or one of `compose.callbacks`, or several.
        checkpoint: a folder for checkpoints, or `compose.checkpoint(folder, steps=..., minutes=..., keep=...)`. If
            there is one in it, training continues from the latest, in mid-epoch too, and ends with the same bits as a
            training that was never cut. SIGTERM saves one and ends the program. Several processes need a folder that
            all of them see.
        seed: seed for parameters, shuffling and dropout.
        start: where to start from: a `Trained`, a port, or a pair (params, state).
        inputs: for a loss that runs the network itself, the network's input as `compose.spec(...)`, or a tuple of
            these, if it is not `x`.
        memory: bytes of examples to keep on the device; larger data is streamed from the host.
        precision: `"bfloat16"` or `"float16"` to compute in it, validation too; parameters, optimizer, outputs, loss,
            statistics and state stay in float32. In float16 the loss is scaled, and a step whose gradients overflow is
            skipped. None computes in float32.
        devices: how many devices to train on, or `"all"`; or the sizes of named axes, `{"data": 4, "model": 2}`. Each
            batch is split over the axis `"data"`; results are those of one device but for rounding. Several processes,
            see `compose.distributed.start`, train together on all devices of all of them; each must be given the same
            arguments, but of a stream its own part of each batch.
        mesh: the mesh of these devices instead, as `jax.make_mesh` gives it.
        sharding: how parameters and optimizer are laid out over the devices: `"replicated"` (the default), `"fsdp"`,
            `"tensor"`, or a dict from patterns of paths to mesh axes, as in `{"**/kernel": (None, "model")}`; see
            `compose.shardings`.
        cache: a folder in which compiled programs are kept, so that another process need not compile them.
        verbose: show a progress bar on a terminal, or one line per epoch elsewhere.

    Raises `DataError` for invalid examples, and `LayerError` if they do not fit the network or an option is
    invalid.

    >>> import numpy as np
    >>> from compose import fc
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> trained = fc(1).fit(x, 3 * x + 1, loss="mse", optimizer="adam", learning_rate=0.1, epochs=99, verbose=False)
    >>> print(trained.predict(np.float32([[2.0]])).round(2))
    [[7.]]
    """
    options = dict(
        loss=loss, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, metrics=metrics,
        steps_per_epoch=steps_per_epoch,
        loss_weights=loss_weights, ignore_label=ignore_label, logits=logits, class_weight=class_weight,
        l1=l1, l2=l2, clip=clip, accumulate=accumulate, ema=ema, freeze=freeze,
        seed=seed, memory=memory, precision=precision, devices=devices, mesh=mesh, sharding=sharding, cache=cache,
        verbose=verbose,
    )  # fmt: skip
    start = _weights(start)
    names = names_of(x, start)
    x, y = pair(in_order(x, names), y)
    if isinstance(validation, Dataset):
        validation = pair(validation, None)
    elif isinstance(validation, (tuple, list)) and validation:
        validation = (in_order(validation[0], names), *validation[1:])
    _at_least(1, epochs=epochs, batch_size=batch_size, accumulate=accumulate)
    _at_least(0, seed=seed)
    if steps_per_epoch is not None:
        _at_least(1, steps_per_epoch=steps_per_epoch)
    distribution = distribution_of(devices, mesh, sharding)
    dtype, regime = compute_dtype(precision), regime_of(l1, l2, ema, accumulate)
    data, held_out = _parts(net, x, y, sample_weight, validation, options)
    batches = steps_of(data, options)
    steps = None if batches is None else epochs * batches // accumulate
    if steps == 0 and not isinstance(start, Trained):
        warn(
            f"nothing is learned: accumulate={accumulate} is more than the {epochs * (batches or 0)} batches there are"
        )
    rate, anew = sized(learning_rate, steps)
    update = optimizer_of(optimizer, rate, clip, accumulate)
    inputs = _inputs(inputs, loss, start, data)
    scoring = scoring_of(
        net, inputs, data, loss, metrics, dtype,
        logits=logits, ignore_label=ignore_label, loss_weights=loss_weights, distribution=distribution,
    )  # fmt: skip
    scoring.numbers_only()
    for part in (data, held_out):
        if isinstance(part, Stream):
            part.check = scoring.check
    if isinstance(data, Stream):
        check_stream_options(class_weight)
        scoring.with_class_weight(data.first, class_weight)  # raises for weights that do not fit
        data.weighed = lambda part: scoring.with_class_weight(part, class_weight)
    else:
        data = scoring.with_class_weight(data, class_weight)
    task = Task(
        net, inputs, data, held_out, scoring, update, anew, start, epochs, options, regime, freeze_of(freeze),
        _tuple(callbacks), checkpoint_of(checkpoint), names,
    )  # fmt: skip
    with disk_cache(cache):
        return train(task)


def _parts(net: Layer, x: Any, y: Any, sample_weight: Any, validation: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """The data to train on and to validate with: `Examples` or streams."""
    whole = is_custom(options["loss"])
    tried = None if whole else net
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        held_out: Any = examples(*validation, net=tried)
    elif validation is not None and (is_stream(validation) or is_rows(validation)):
        held_out = stream_of(validation, None, options, whole, tried)
    else:
        held_out = None
    if is_stream(x) or is_rows(x):
        if y is not None or sample_weight is not None:
            raise ConfigError("y and sample_weight in the batches of a stream", "them beside it", "fit(data, loss=...)")
        if validation is not None and held_out is None:
            raise DataError(f"validation of a stream must be a pair (x, y), or a stream; got {brief(validation)}")
        return stream_of(x, options["steps_per_epoch"], options, whole, tried), held_out
    if options["steps_per_epoch"] is not None:
        raise ConfigError("steps_per_epoch only for a stream of batches", repr(options["steps_per_epoch"]))
    data = examples(x, y, sample_weight, tried)
    return (data, held_out) if held_out is not None or validation is None else hold_out(data, validation)


def _inputs(given: Any, loss: Any, start: Any, data: Any) -> Any:
    """The network's abstract input."""
    if not is_custom(loss):
        if given is not None:
            raise ConfigError("inputs only for a loss that runs the network itself", repr(given))
        return data.specs(1)
    if given is not None:
        return given
    return start.inputs if isinstance(start, Trained) else data.specs(1)


def _weights(start: Any) -> Any:
    """What to start from: a `Trained`, or the parameters and state of a pair, or of what has both, such as a port."""
    if start is None or isinstance(start, Trained):
        return start
    if hasattr(start, "params") and hasattr(start, "state"):
        return start.params, start.state
    if isinstance(start, (tuple, list)) and len(start) == 2:
        return tuple(start)
    raise ConfigError("start to be a Trained, a port, or a pair (params, state)", type(start).__name__)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _at_least(least: int, **options: Any) -> None:
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ConfigError(f"{name} to be an integer of at least {least}", repr(value))
