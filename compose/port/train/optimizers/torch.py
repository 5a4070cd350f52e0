"""`torch.optim`: each parameter group as one optax transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.port.train.optimizers import torch_rules as rules

Group = dict[str, Any]


def group_transformation(kind: str, group: Group, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """The transformation for one parameter group: sign, decay, direction and learning rate, in torch's order."""
    if kind in REFUSED:
        raise ConfigError("an optimizer with an exact optax equivalent", f"torch.optim.{kind}", REFUSED[kind])
    sign = [optax.scale(-1.0)] if group.get("maximize") else []
    decay = [optax.add_decayed_weights(group["weight_decay"])] if group.get("weight_decay") else []
    if kind in WHOLE:
        coupled = decay if kind == "ASGD" else []
        return optax.chain(*sign, *coupled, WHOLE[kind](group, rate))
    decoupled = group.get("decoupled_weight_decay", False)
    before, after = ([], decay) if decoupled else (decay, [])
    return optax.chain(*sign, *before, DIRECTIONS[kind](group), *after, optax.scale_by_learning_rate(rate))


def cycled(kind: str, group: Group, momentum: optax.Schedule) -> Group:
    """The parameter group with a momentum, or first beta, that is a function of the step."""
    if kind not in ("SGD", "RMSprop", "Adam", "AdamW"):
        raise ConfigError("SGD, RMSprop, Adam or AdamW, to cycle the momentum", kind, "train with cycle_momentum=False")
    if "betas" in group:
        return {**group, "betas": (momentum, group["betas"][1])}
    return {**group, "momentum": momentum}


def _sgd(group: Group) -> optax.GradientTransformation:
    momentum: float | optax.Schedule = group["momentum"]
    if callable(momentum) or (momentum and group["dampening"]):
        return rules.dampened_trace(momentum, group["dampening"], group["nesterov"])
    return optax.trace(momentum, group["nesterov"]) if momentum else optax.identity()


def _adam(group: Group) -> optax.GradientTransformation:
    b1: float | optax.Schedule = group["betas"][0]
    b2, eps = group["betas"][1], group["eps"]
    if callable(b1) or group["amsgrad"]:
        return rules.adam(b1, b2, eps, group["amsgrad"])
    return optax.scale_by_adam(b1, b2, eps)


def _rmsprop(group: Group) -> optax.GradientTransformation:
    momentum: float | optax.Schedule = group["momentum"]
    make = optax.scale_by_stddev if group["centered"] else optax.scale_by_rms
    scale = make(group["alpha"], group["eps"], eps_in_sqrt=False)
    if not momentum:
        return scale
    return optax.chain(scale, rules.dampened_trace(momentum) if callable(momentum) else optax.trace(momentum))


def _rprop(group: Group, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    # torch's Rprop uses its rate once, as the initial step size
    start = float(jnp.asarray(rate(0) if callable(rate) else rate))
    return rules.rprop(start, group["etas"], group["step_sizes"])


def _default_dtype() -> str:
    """torch's default dtype, which it uses for counters."""
    import torch

    return str(torch.get_default_dtype()).removeprefix("torch.")


DIRECTIONS: dict[str, Callable[[Group], optax.GradientTransformation]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "NAdam": lambda g: rules.nadam(
        *g["betas"], eps=g["eps"], momentum_decay=g["momentum_decay"], scalars=_default_dtype()
    ),
    "RAdam": lambda g: rules.radam(*g["betas"], eps=g["eps"]),
    "Adamax": lambda g: optax.scale_by_adamax(*g["betas"], eps=g["eps"]),
    "Adagrad": lambda g: rules.adagrad(g["initial_accumulator_value"], g["eps"], g["lr_decay"]),
    "Adadelta": lambda g: optax.scale_by_adadelta(g["rho"], g["eps"]),
    "RMSprop": _rmsprop,
}

WHOLE: dict[str, Callable[[Group, optax.ScalarOrSchedule], optax.GradientTransformation]] = {
    "Rprop": _rprop,
    "ASGD": lambda g, rate: rules.asgd(rate, g["lambd"], g["alpha"], g["t0"], _default_dtype()),
    "Adafactor": lambda g, rate: rules.adafactor(rate, g["beta2_decay"], g["eps"], g["d"], g["weight_decay"]),
}

REFUSED = {
    "LBFGS": "it evaluates the loss several times per step: use optax.lbfgs, with the loss as value_fn",
    "Muon": "torch's runs in bfloat16 with unspecified summation order: use optax.contrib.muon, which differs",
    "SparseAdam": "it updates only the rows used by a batch: use optax.adam, which updates all rows",
}
