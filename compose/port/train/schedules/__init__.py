"""Learning-rate schedules of torch and Keras as optax schedules."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.port.train.frameworks import source_of

__all__ = ["schedule"]


def schedule(
    source: Any,
    steps_per_epoch: int = 1,
    group: int = 0,
    epochs: int | None = None,
    value: Literal["rate", "momentum"] = "rate",
) -> optax.Schedule:
    """The learning rate as a function of the step, counted from 0.

    It always starts at the beginning, even if `source` has already run. After the last step of a schedule that raises
    an error in torch (`OneCycleLR`), the rate is NaN.

    Args:
        source: a scheduler of `torch.optim.lr_scheduler` or a schedule of `keras.optimizers.schedules`.
        steps_per_epoch: the number of optimizer steps per call of torch's `scheduler.step()`. Keras counts steps.
        group: the index of torch's parameter group.
        epochs: for schedules that are Python functions (`LambdaLR`): the number of values to tabulate.
        value: "momentum" for the momentum that `OneCycleLR` and `CyclicLR` cycle, which is SGD's momentum or Adam's
            first beta: `port.optimizer(opt, momentum=port.schedule(scheduler, value="momentum"), ...)`.

    >>> import torch
    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> rate = schedule(torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.1), steps_per_epoch=100)
    >>> [f"{rate(step):.2f}" for step in (0, 199, 200, 400)]
    ['1.00', '1.00', '0.10', '0.01']
    """
    framework, kind = source_of(source, "schedule")
    if framework == "torch":
        from compose.port.train.schedules.torch import torch_momentum, torch_schedule

        momentum = value == "momentum"
        rate = torch_momentum(source, kind, group) if momentum else torch_schedule(source, kind, group, epochs)
        return lambda step: rate(jnp.floor_divide(step, steps_per_epoch))
    if value != "rate":
        raise ConfigError("a torch scheduler, since Keras's change only the rate", f"a keras {kind}")
    if steps_per_epoch != 1:
        raise ConfigError("no steps_per_epoch, since Keras's schedules count steps", str(steps_per_epoch))
    from compose.port.train.schedules.keras import keras_schedule

    return keras_schedule(source, kind)
