"""Optimizers of torch, Keras and TF1 as exactly equivalent optax transformations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import optax

from compose.core.errors import ConfigError
from compose.core.warning import warn
from compose.port.train.frameworks import numbers, source_of
from compose.port.train.optimizers.clip import clip_grad_norm

__all__ = ["clip_grad_norm", "optimizer"]

Rate = optax.ScalarOrSchedule


def optimizer(
    source: Any,
    learning_rate: Rate | Sequence[Rate] | None = None,
    labels: Any = None,
    decay: Any = None,
    momentum: optax.Schedule | Sequence[optax.Schedule] | None = None,
) -> optax.GradientTransformation:
    """The optax transformation equivalent to a `torch.optim`, `keras.optimizers` or `tf.compat.v1.train` optimizer.

    An optax transformation, as used with Flax, is returned unchanged.

    It is built from optax where optax computes the same, and from own rules otherwise (AMSGrad, NAdam, SGD with
    dampening, Keras's Adam, ...). Raises `ConfigError` if there is no exact equivalent. The transformation starts from
    fresh state; if the optimizer has been used, a warning says that its state is not carried over. One difference
    remains: torch skips a parameter whose gradient is None, while JAX has a zero gradient.

    Args:
        source: the optimizer object.
        learning_rate: overrides the optimizer's own: a number or a function of the step, such as
            `port.schedule(torch_scheduler)`; a sequence of these for several parameter groups.
        labels: the group of each parameter: a tree of indices like the parameters, or a function of the parameter's
            path (`"block/e1/kernel"`); -1 for parameters that do not train. Required for several groups.
        decay: Keras's `exclude_from_weight_decay` for our names: a tree of bools like the parameters, or a function of
            the tree, True for parameters that decay.
        momentum: `port.schedule(scheduler, value="momentum")` if a torch scheduler cycles the momentum; a sequence for
            several groups.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.zeros(3))
    >>> tx = optimizer(torch.optim.NAdam([weight], lr=0.1))
    >>> state = tx.init({"kernel": jax.numpy.zeros(3)})
    """
    if isinstance(source, optax.GradientTransformation):
        return source
    framework, kind = source_of(source, "optimizer")
    if framework == "torch":
        return _torch(source, kind, learning_rate, labels, momentum)
    if labels is not None or momentum is not None:
        raise ConfigError("labels and momentum only for torch's parameter groups", f"a {framework} {kind}")
    if isinstance(learning_rate, Sequence):
        raise ConfigError("one learning rate", f"{len(learning_rate)} for a {framework} {kind}")
    if framework == "keras":
        from compose.port.train.optimizers.keras import transformation

        return transformation(source, kind, learning_rate, decay)
    from compose.port.train.optimizers.tf1 import transformation as tf1_transformation

    return tf1_transformation(source, kind, learning_rate)


def _torch(source, kind: str, learning_rate, labels, momentum) -> optax.GradientTransformation:
    from compose.port.train.optimizers.torch import cycled, group_transformation

    if any(slots.get("step", 1) for slots in source.state.values()):
        warn(f"the state of this used {kind} is not carried over; use p.optimizer(...) to keep it")
    groups = [{key: numbers(value) for key, value in group.items() if key != "params"} for group in source.param_groups]
    if learning_rate is None and any("initial_lr" in group for group in groups):
        raise ConfigError(
            "the learning rate, since a scheduler drives this optimizer",
            hint="optimizer(opt, learning_rate=port.schedule(scheduler)), or a number",
        )
    if momentum is None and any("max_momentum" in group for group in groups):
        raise ConfigError(
            "the momentum, since a scheduler cycles it",
            hint='optimizer(opt, momentum=port.schedule(scheduler, value="momentum"), learning_rate=...)',
        )
    rates, momenta = _each(learning_rate, len(groups)), _each(momentum, len(groups))
    groups = [group if of is None else cycled(kind, group, of) for group, of in zip(groups, momenta)]
    transformations = [
        group_transformation(kind, g, g["lr"] if rate is None else rate) for g, rate in zip(groups, rates)
    ]
    if labels is None:
        if len(transformations) == 1:
            return transformations[0]
        raise ConfigError(
            f"labels, since the optimizer has {len(transformations)} parameter groups",
            hint='labels=lambda path: 1 if path.endswith("bias") else 0, or a tree of indices like the parameters',
        )
    return optax.multi_transform({-1: optax.set_to_zero(), **dict(enumerate(transformations))}, _by_path(labels))


def _each(value: Any, count: int) -> list:
    """One value per parameter group."""
    values = list(value) if isinstance(value, Sequence) else [value] * count
    if len(values) != count:
        raise ConfigError(f"{count} values, one per parameter group", str(len(values)))
    return values


def _by_path(labels: Any) -> Any:
    """The labels as optax takes them: a function of the path becomes a function of the tree."""
    if not callable(labels):
        return labels
    name = lambda path: "/".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
    return lambda params: jax.tree_util.tree_map_with_path(lambda path, _: labels(name(path)), params)
