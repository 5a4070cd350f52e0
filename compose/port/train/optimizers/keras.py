"""`keras.optimizers` as optax transformations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

from compose.core.errors import ConfigError
from compose.core.warning import warn
from compose.port.train.optimizers import keras_rules as rules
from compose.port.train.optimizers.clip import clip_all_norm, clip_each_norm
from compose.port.train.optimizers.torch_rules import nadam
from compose.port.train.optimizers.wrappers import average_params, decay_first, gather_gradients

Rate = optax.ScalarOrSchedule


def transformation(opt: Any, kind: str, learning_rate: Rate | None, decay: Any) -> optax.GradientTransformation:
    """Clipping, decay, the rule, accumulation and averaging, in Keras's order.

    `loss_scale_factor` has no effect: Keras multiplies the loss by it and divides the gradients.
    """
    if kind in REFUSED or kind not in WHOLE | DIRECTIONS:
        raise ConfigError("an optimizer with an exact optax equivalent", f"keras {kind}", REFUSED.get(kind, ""))
    if opt.built and _value(opt._iterations):
        warn(f"the state of this used {kind} is not carried over; use p.optimizer(...) to keep it")
    every = opt.gradient_accumulation_steps or 1
    rate = _at_updates(_rate(opt) if learning_rate is None else learning_rate, every)
    if kind in WHOLE:
        tx = WHOLE[kind](opt, rate)
    else:
        tx = optax.chain(DIRECTIONS[kind](opt), optax.scale_by_learning_rate(rate))
    if opt.weight_decay:
        tx = decay_first(tx, rate, opt.weight_decay, _checked(opt, decay))
    tx = optax.chain(*_clipping(opt), tx)
    if every > 1:
        tx = gather_gradients(tx, every)
    if opt.use_ema:
        tx = optax.chain(tx, average_params(opt.ema_momentum, opt.ema_overwrite_frequency, every))
    return tx


def _rate(opt: Any) -> Rate:
    """The optimizer's own rate, as stored (in Keras's float type)."""
    rate = opt._learning_rate
    if hasattr(rate, "assign"):
        return _value(rate)
    if callable(getattr(rate, "get_config", None)):
        from compose.port.train.schedules import schedule

        return schedule(rate)
    raise ConfigError(
        "a number or a schedule", "a function without arguments", "pass learning_rate=, a function of step"
    )


def _value(variable: Any) -> float:
    return float(variable.value)


def _at_updates(rate: Rate, every: int) -> Rate:
    """Keras's schedules count batches, and an update takes `every` batches."""
    return (lambda update: rate(every * (update + 1) - 1)) if callable(rate) and every > 1 else rate


def _checked(opt: Any, decay: Any) -> Any:
    excluded = getattr(opt, "_exclude_from_weight_decay", None)
    if decay is None and (excluded or getattr(opt, "_exclude_from_weight_decay_pattern", None)):
        raise ConfigError(
            "which parameters decay, since the optimizer excludes some by their Keras names",
            hint="decay=, a tree of bools like the parameters or a function of it",
        )
    return decay


def _clipping(opt: Any) -> list[optax.GradientTransformation]:
    if opt.clipnorm:
        return [clip_each_norm(opt.clipnorm)]
    if opt.global_clipnorm:
        return [clip_all_norm(opt.global_clipnorm)]
    return [optax.clip(opt.clipvalue)] if opt.clipvalue else []


def _trace(opt: Any, rate: Rate, nesterov: bool = False) -> list[optax.GradientTransformation]:
    """Momentum after the learning rate; in torch it comes before."""
    after = [optax.trace(opt.momentum, nesterov)] if opt.momentum else []
    return [optax.scale_by_learning_rate(rate), *after]


def _rmsprop(opt: Any, rate: Rate) -> optax.GradientTransformation:
    scale = optax.scale_by_stddev if opt.centered else optax.scale_by_rms
    return optax.chain(scale(opt.rho, opt.epsilon), *_trace(opt, rate))


DIRECTIONS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "Adam": lambda o: rules.adam(o.beta_1, o.beta_2, o.epsilon, o.amsgrad),
    "AdamW": lambda o: rules.adam(o.beta_1, o.beta_2, o.epsilon, o.amsgrad),
    "Adamax": lambda o: rules.adamax(o.beta_1, o.beta_2, o.epsilon),
    "Nadam": lambda o: nadam(o.beta_1, o.beta_2, o.epsilon, 1.0),
    "Lamb": lambda o: rules.lamb(o.beta_1, o.beta_2, o.epsilon),
    "Lion": lambda o: optax.scale_by_lion(o.beta_1, o.beta_2),
    "Adagrad": lambda o: optax.scale_by_rss(o.initial_accumulator_value, o.epsilon),
    "Adadelta": lambda o: optax.scale_by_adadelta(o.rho, o.epsilon),
}

WHOLE: dict[str, Callable[[Any, Rate], optax.GradientTransformation]] = {
    "SGD": lambda o, rate: optax.chain(*_trace(o, rate, o.nesterov)),
    "RMSprop": _rmsprop,
    "Ftrl": lambda o, rate: rules.ftrl(
        rate,
        o.learning_rate_power,
        o.initial_accumulator_value,
        o.l1_regularization_strength,
        o.l2_regularization_strength,
        o.l2_shrinkage_regularization_strength,
        o.beta,
    ),
    "Adafactor": lambda o, rate: rules.adafactor(rate, o.beta_2_decay, (o.epsilon_1, o.epsilon_2), o.clip_threshold),
    "ScheduleFreeAdamW": lambda o, rate: rules.schedule_free_adamw(rate, o.beta_1, o.beta_2, o.epsilon, o.warmup_steps),
}

REFUSED = {
    "Muon": "it selects variables by their Keras names: use optax.contrib.muon, which differs",
    "LossScaleOptimizer": "it skips steps that overflow: port its inner_optimizer, and use optax.apply_if_finite",
    "MultiOptimizer": "port each of its optimizers and join them with optax.multi_transform",
}
