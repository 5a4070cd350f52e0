"""The optax transformation that does exactly what an optimizer of torch, Keras or TF1 does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import optax

from compose.core.errors import ConfigError
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
    """The exact optax transformation of a `torch.optim`, `keras.optimizers` or `tf.compat.v1.train` optimizer.

    One of optax, as Flax is trained with, is itself.

    Built from optax where optax computes the same, from rules of our own where it does not (AMSGrad, NAdam,
    SGD with dampening, Keras's Adam, ...); `ConfigError` where nothing can be exact. It starts fresh: momenta of
    an optimizer that has been used are not carried over, which a warning says. One difference is left: torch
    skips a parameter whose gradient is None, where JAX has a gradient of zeros.

    Args:
        source: the optimizer object.
        learning_rate: instead of the optimizer's own: a number or a function of the step, such as
            `port.schedule(torch_scheduler)`; a sequence of such for several groups of parameters.
        labels: which group each parameter is in: a tree of indices like the parameters, or a function of the
            parameter's path (`"block/e1/kernel"`); -1 for those that stay as they are. Needed for several groups.
        decay: Keras's `exclude_from_weight_decay` by our names: a tree of bools like the parameters, or a
            function of the tree: which of them decay.
        momentum: where a torch scheduler cycles it too, `port.schedule(scheduler, value="momentum")`; a sequence
            for several groups.

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
        raise ConfigError("labels and momentum only for torch's groups of parameters", f"a {framework} {kind}")
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
        warnings.warn(f"the momenta of this used {kind} are not carried over, as Ported.optimizer does", stacklevel=3)
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
    made = [group_transformation(kind, g, g["lr"] if rate is None else rate) for g, rate in zip(groups, rates)]
    if labels is None:
        if len(made) == 1:
            return made[0]
        raise ConfigError(
            f"labels, since the optimizer has {len(made)} groups of parameters",
            hint='labels=lambda path: 1 if path.endswith("bias") else 0, or a tree of indices like the parameters',
        )
    return optax.multi_transform({-1: optax.set_to_zero(), **dict(enumerate(made))}, _by_path(labels))


def _each(given: Any, count: int) -> list:
    """One for each group of parameters."""
    each = list(given) if isinstance(given, Sequence) else [given] * count
    if len(each) != count:
        raise ConfigError(f"{count} values, one a group of parameters", str(len(each)))
    return each


def _by_path(labels: Any) -> Any:
    """The labels as optax takes them; a function of the path becomes one of the tree."""
    if not callable(labels):
        return labels
    name = lambda path: "/".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
    return lambda params: jax.tree_util.tree_map_with_path(lambda path, _: labels(name(path)), params)
