"""The losses and metrics of a training made ready: checked against a network and its first examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.core.errors import ConfigError, DataError, shape_text
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.train.batches import Batches
from compose.train.copies import on_device
from compose.train.distribution import ONE_DEVICE, Distribution
from compose.train.epoch import StepsPerCall, run_epoch
from compose.train.examples import Examples
from compose.train.heads import Given, Head, given
from compose.train.image_axes import warn_of_images
from compose.train.limits import check_limits, limits
from compose.train.logits import PROBABILITIES, Outputs, forward, refuse_hidden_probabilities
from compose.train.losses.known import loss_of, said_to_take_logits
from compose.train.losses.loss import Loss
from compose.train.losses.targets import check_targets
from compose.train.metrics.known import check_fits, losses_among, metric_of
from compose.train.metrics.metric import BINARY, CLASSES, NUMBERS, Subject
from compose.train.output_mask import output_mask
from compose.train.output_names import output_names
from compose.train.scores import Scores
from compose.train.structural_key import by_structure
from compose.train.subject import subject_of
from compose.train.train_step import evaluation_steps
from compose.train.weights import apart, weight_for, with_class_weight


class Scoring:
    """Losses and metrics for one network, which is computed in `dtype`; None for that of its parameters.

    `data` are the examples that decide what the metrics measure, such as whether targets are classes. The other
    arguments are those of `fit`. Raises `ConfigError` and `DataError` if they do not fit each other.
    """

    def __init__(
        self,
        net: Layer,
        data: Examples,
        loss: Any,
        metrics: Any = (),
        dtype: Any = None,
        *,
        logits: bool | None = None,
        ignore_label: int | None = None,
        loss_weights: Any = None,
        distribution: Distribution = ONE_DEVICE,
    ):
        self.net, self.dtype, self.inputs = net, dtype, data.specs(1)
        self.ignore, self.logits, self.distribution = _label(ignore_label), logits, distribution
        y, weights = apart(data.y)
        self.out = plan(net, self.inputs).out
        self._whole = isinstance(data, Examples)
        self._decided, self._others = _by_step(weights) or ignore_label is not None, {}
        self.outputs, masks = _traced(net, self.inputs, self._decided)
        self.limits = limits(self.outputs)
        warn_of_images(self.outputs)
        parts = given(output_names(self.outputs), loss, metrics, loss_weights, y)
        unknown = [name for name in weights if name not in ("", *(part.name for part in parts))]
        if unknown:
            raise ConfigError("weights for outputs that have a loss", f"sample_weight[{unknown[0]!r}]")
        self.scores = Scores(tuple(self._head(part, y, weight_for(weights, part.name), masks) for part in parts))
        if len(set(self.names)) < len(self.names):
            raise ConfigError("metrics whose names differ", ", ".join(self.names), "give functions a __name__")
        check_limits(self.limits, data.x)
        self._checked = data

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scores in the history."""
        return self.scores.names

    def _head(self, part: Given, y: Any, weights: Any, masks: tuple[bool, ...]) -> Head:
        targets = y if part.key is None else y[part.key]
        outputs, loss = self.outputs.at(part.place), loss_of(part.loss)
        check_targets(loss, _at(self.out, part.place), targets, self.ignore, not self._whole)
        metrics = tuple(map(metric_of, part.metrics))
        for measured in losses_among(part.metrics):
            check_targets(measured, _at(self.out, part.place), targets, self.ignore, not self._whole)
        if not hasattr(outputs.value, "shape") or len(jax.tree.leaves(targets)) != 1:
            if self.logits is not None:
                raise ConfigError("logits only for a loss on one output", f"logits={self.logits}")
            about = Subject(NUMBERS)
            _refuse_by_name(metrics, self.out, targets)
        else:
            loss = said_to_take_logits(loss, outputs, self.logits, _specs(targets))
            partial = masks[part.place or 0] or self.ignore is not None
            about = subject_of(loss, outputs, targets, self.ignore, partial)
            for metric in metrics:
                check_fits(metric, about, part.name)
        _check_values(loss, outputs, targets, weights, about)
        return Head(
            part.name, part.place, part.key, loss, part.weight, metrics, about, self.ignore,
            getattr(weights, "ndim", 0) > 1,
        )  # fmt: skip

    def check(self, data: Examples, what: str = "") -> None:
        """Raise unless the examples fit the network and the targets fit its output; `what` names them in errors.

        Without a name they are a batch of a stream, which may have another number of steps than the first.
        """
        if data is self._checked:
            return
        inputs, shape = data.specs(1), lambda tree: [s.shape for s in jax.tree.leaves(tree)]
        same = jax.tree.structure(inputs) == jax.tree.structure(self.inputs) and shape(inputs) == shape(self.inputs)
        out, outputs = (self.out, self.outputs) if same else (None, self.outputs) if what else self._for(inputs)
        if out is None:
            got, want = (_for_each_example(tree) for tree in (inputs, self.inputs))
            rule = f"the {what} examples must be like those trained on" if what else "batches must be like the first"
            raise DataError(f"{rule}: {want} each; got {got}")
        check_limits(self.limits, data.x)
        y, weights = apart(data.y)
        for head in self.scores.heads:
            targets = _part(y, head, what)
            check_targets(head.loss, _at(out, head.place), targets, self.ignore, not what)
            _check_values(head.loss, outputs.at(head.place), targets, weight_for(weights, head.name), head.about)

    def _for(self, inputs: Any) -> tuple[Any, Outputs]:
        """What the network gives for batches of other shapes than the first: None if its parameters would differ."""
        leaves, tree = jax.tree.flatten(inputs)
        if tree != jax.tree.structure(self.inputs):
            return None, self.outputs
        key = tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if key not in self._others:
            own, first = plan(self.net, inputs), plan(self.net, self.inputs)
            fits = own.param_specs() == first.param_specs()
            outputs = _traced(self.net, inputs, self._decided)[0] if fits else self.outputs
            self._others[key] = own.out if fits else None, outputs
        return self._others[key]

    def with_class_weight(self, data: Examples, given: Any) -> Examples:
        """The examples with weights of classes; by output if there are several. Raises `ConfigError`."""
        if given is None:
            return data
        heads = {head.name: head for head in self.scores.heads}
        by_output = {"": given} if list(heads) == [""] else given
        if not isinstance(by_output, Mapping) or not all(name in heads for name in by_output):
            raise ConfigError(f"class_weight by output: {', '.join(heads)}", repr(given))
        y = data.y
        for name, own in by_output.items():
            head = heads[name]
            classes = self.outputs.at(head.place).value.shape[-1] if head.about.kind == CLASSES else 2
            y = with_class_weight(y, name, own, self._labels(head, apart(y)[0]), classes)
            weights = weight_for(y.weights, name)
            _check_values(head.loss, self.outputs.at(head.place), head.targets(y.targets), weights, head.about)
        self._checked = replace(data, y=y)
        return self._checked

    def _labels(self, head: Head, y: Any) -> np.ndarray:
        """The integer labels of an output's targets."""
        targets = head.targets(y)
        kind, outputs = head.about.kind, self.outputs.at(head.place).value
        if len(jax.tree.leaves(targets)) != 1 or not hasattr(outputs, "shape") or kind == NUMBERS:
            raise ConfigError("targets that are classes for class_weight", shape_text(targets))
        labels = np.asarray(targets)
        if self.ignore is not None:
            labels = np.where(labels == self.ignore, -1, labels)
        if kind == CLASSES and labels.ndim == outputs.ndim:
            return labels.argmax(-1)
        if kind == BINARY and head.about.middle != 0.5:
            return (labels > head.about.middle).astype(np.int64)
        return labels.astype(np.int64)

    def check_end(self, data: Examples, params, state) -> None:
        """Raise if a loss on logits would receive probabilities."""
        for head in self.scores.heads:
            if head.loss.over in PROBABILITIES:
                few = on_device(jax.tree.map(lambda a: a[:8], data.x))
                outputs = self.outputs.at(head.place)
                refuse_hidden_probabilities(self.net, params, state, few, head.loss.over, outputs, head.place)

    @functools.cached_property
    def _steps(self) -> Any:
        return evaluation_steps(self.net, self.scores, self.dtype, self.distribution)

    def measure(
        self,
        params,
        state,
        batches: Batches,
        compiling: Callable = nullcontext,
        advance: Callable[[int], None] = lambda examples: None,
    ) -> dict[str, Any]:
        """The loss and metrics over all batches. Compiling happens within `compiling()`."""
        pace = StepsPerCall(self.distribution.of_first)
        return run_epoch(self._steps, (), (params, state), batches, self.scores, compiling, pace, advance)[1]

    def numbers_only(self) -> None:
        """Raise `ConfigError` for a metric that is not one number, which has no place in the history."""
        for head in self.scores.heads:
            for metric in head.metrics:
                if not metric.number:
                    raise ConfigError(
                        "metrics that are one number", metric.name,
                        f"evaluate(x, y, metrics={metric.name!r}) gives it after training",
                    )  # fmt: skip


def _at(out: Any, place: int | None) -> Any:
    return out if place is None else jax.tree.leaves(out)[place]


def _by_step(weights: dict[str, Any]) -> bool:
    """Whether weights tell steps apart, so that they decide which of them count."""
    return any(w.ndim > 1 for w in weights.values())


def _traced(net: Layer, inputs: Any, decided: bool) -> tuple[Outputs, tuple[bool, ...]]:
    """What the network computes, as tracers that tell which array is which, and which outputs are under a mask."""
    return _once_traced(net, inputs, decided, jnp.result_type(float))


@by_structure  # tracing takes as long as several steps of a small network
def _once_traced(values: Callable[[], tuple]) -> tuple[Outputs, tuple[bool, ...]]:
    net, inputs, decided, _ = values()
    planned = plan(net, inputs)
    found: list[Any] = []

    def run(params, state, x):
        outputs = forward(net, params, state, x, Context())[0]
        places = range(len(jax.tree.leaves(outputs.value)))
        found.append((outputs, tuple(output_mask(outputs.at(i), decided) is not None for i in places)))
        return outputs.value

    jax.eval_shape(run, planned.param_specs(), planned.state_specs(), inputs)
    return found[0]


def _check_values(loss: Loss, outputs: Outputs, targets: Any, weights: Any, about: Subject) -> None:
    """Raise unless the loss has a value for each example or element where weights or a mask tell them apart."""
    predictions = outputs.value if loss.over is None else outputs.logits(loss.over)
    if weights is None and not about.partial:
        return
    real = jax.ShapeDtypeStruct((1, *outputs.value.shape[1:2]), bool) if loss.takes_mask else None
    values = jax.eval_shape(loss.each, _specs(predictions), _specs(targets), real)
    if not hasattr(values, "shape") or not values.shape:
        raise ConfigError(
            "a loss with a value for each example, since some examples or steps count less than others",
            f"{loss.name}, which returns one number", "return the values before averaging them",
        )  # fmt: skip
    if weights is not None and weights.shape[1:] != values.shape[1 : weights.ndim]:
        raise DataError(
            "sample_weight must have one weight for each example, (n,)"
            + (f", or for each value of the loss, (n, {', '.join(map(str, values.shape[1:]))})" * (values.ndim > 1))
            + f"; got {tuple(weights.shape)}"
        )


def _refuse_by_name(metrics: tuple[Any, ...], out: Any, targets: Any) -> None:
    for metric in metrics:
        if not metric.whole:
            several = len(jax.tree.leaves(out)) > 1
            raise ConfigError(
                f"one output and one array of targets for the metric {metric.name}",
                f"outputs {shape_text(out)} and {len(jax.tree.leaves(targets))} arrays of targets",
                'give each output its own, as in loss={"a": "mse", "b": "cross_entropy"}, metrics={"b": "accuracy"}'
                if several
                else "weights of examples are sample_weight; a metric of several targets is a function",
            )


def _part(y: Any, head: Head, what: str) -> Any:
    try:
        return head.targets(y)
    except (KeyError, IndexError, TypeError):
        raise DataError(f"the {what} targets have none for the output {head.name!r}") from None


def _specs(tree: Any) -> Any:
    wide = lambda d: jnp.promote_types(d, jnp.float32) if jnp.issubdtype(d, jnp.floating) else d
    one = lambda a: jax.ShapeDtypeStruct((1, *a.shape[1:]), wide(jax.dtypes.canonicalize_dtype(a.dtype)))
    return jax.tree.map(one, tree)


def _for_each_example(specs: Any) -> str:
    return shape_text(jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape[1:], s.dtype), specs))


def _label(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer))):
        raise ConfigError("ignore_label to be an integer, such as -1 or -100", repr(value))
    return None if value is None else int(value)
