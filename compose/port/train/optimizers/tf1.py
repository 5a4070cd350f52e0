"""`tf.compat.v1.train` optimizers as optax transformations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

from compose.core.errors import ConfigError
from compose.port.train.optimizers import keras_rules as rules


def transformation(opt: Any, kind: str, learning_rate: optax.ScalarOrSchedule | None) -> optax.GradientTransformation:
    """The transformation for a TF1 optimizer, from its constructor's arguments."""
    name = kind.removesuffix("Optimizer")
    if name not in OPTIMIZERS:
        raise ConfigError("an optimizer with an exact optax equivalent", f"tf.compat.v1.train.{kind}")
    own = getattr(opt, "_learning_rate", None) or getattr(opt, "_lr", None)
    rate = _number(own) if learning_rate is None else learning_rate
    return OPTIMIZERS[name](opt, rate)


def _number(value: Any) -> float:
    value = value() if callable(value) else value
    if not isinstance(value, (int, float)):
        try:
            value = value.numpy()
        except (AttributeError, NotImplementedError):
            raise ConfigError("a number", "a tensor of a graph", "pass learning_rate=, a number or a function of step")
    return float(value)


def rmsprop(
    rate: optax.ScalarOrSchedule, decay: float = 0.9, momentum: float = 0.0, eps: float = 1e-10, centered: bool = False
) -> optax.GradientTransformation:
    """TF1's RMSProp: the mean square starts at 1, eps is inside the square root, momentum comes after the rate."""
    scale = optax.scale_by_stddev if centered else optax.scale_by_rms
    after = [optax.trace(momentum)] if momentum else []
    return optax.chain(scale(decay, eps, initial_scale=1.0), optax.scale_by_learning_rate(rate), *after)


def _momentum(opt: Any, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Momentum before the rate, as in torch and unlike Keras."""
    trace = optax.trace(_number(opt._momentum), opt._use_nesterov)
    return optax.chain(trace, optax.scale_by_learning_rate(rate))


def _scaled(scale: optax.GradientTransformation, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    return optax.chain(scale, optax.scale_by_learning_rate(rate))


OPTIMIZERS: dict[str, Callable[[Any, optax.ScalarOrSchedule], optax.GradientTransformation]] = {
    "GradientDescent": lambda o, rate: optax.sgd(rate),
    "Momentum": _momentum,
    "Adam": lambda o, rate: _scaled(rules.adam(_number(o._beta1), _number(o._beta2), _number(o._epsilon)), rate),
    "Adagrad": lambda o, rate: _scaled(optax.scale_by_rss(o._initial_accumulator_value, 0.0), rate),
    "Adadelta": lambda o, rate: _scaled(optax.scale_by_adadelta(_number(o._rho), _number(o._epsilon)), rate),
    "RMSProp": lambda o, rate: rmsprop(rate, _number(o._decay), _number(o._momentum), _number(o._epsilon), o._centered),
    "Ftrl": lambda o, rate: rules.ftrl(
        rate,
        o._learning_rate_power,
        o._initial_accumulator_value,
        o._l1_regularization_strength,
        o._l2_regularization_strength,
        o._l2_shrinkage_regularization_strength,
        o._beta,
    ),
}
