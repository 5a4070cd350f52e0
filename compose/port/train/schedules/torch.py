"""`torch.optim.lr_scheduler` in jax.numpy: each schedule in closed form, as a function of the epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from compose.core.errors import ConfigError
from compose.port.train.frameworks import numbers


def torch_momentum(source: Any, kind: str, group: int) -> optax.Schedule:
    """The momentum, or first beta, of one parameter group under a scheduler with `cycle_momentum`."""
    if not getattr(source, "cycle_momentum", False):
        raise ConfigError("a scheduler with cycle_momentum=True", f"a torch {kind}", "leave the optimizer's momentum")
    if kind == "OneCycleLR":
        return _one_cycle(source, group, "momentum")
    return _cyclic(source, source.max_momentums[group], source.base_momentums[group])


def torch_schedule(source: Any, kind: str, group: int, epochs: int | None) -> optax.Schedule:
    """The rate of one parameter group as a function of the number of scheduler steps."""
    if kind in REFUSED:
        raise ConfigError("a schedule that depends only on the step", f"torch {kind}", REFUSED[kind])
    if kind == "SequentialLR":
        return _sequential(source, group, epochs)
    if kind == "ChainedScheduler":
        return _chained(source, group, epochs)
    if kind in ("LambdaLR", "MultiplicativeLR"):
        return _python(source, kind, group, epochs)
    if kind == "OneCycleLR":
        return _one_cycle(source, group, "lr")
    if kind == "CyclicLR":
        return _cyclic(source, _base(source, group), source.max_lrs[group])
    if kind not in FORMS:
        raise ConfigError("a schedule of torch.optim.lr_scheduler", kind, "write it as a function of the step")
    return FORMS[kind](source, _base(source, group))


def _base(source: Any, group: int) -> float:
    return float(numbers(source.base_lrs[group]))


def _step(s, base):
    return lambda epoch: base * s.gamma ** (epoch // s.step_size)


def _multi_step(s, base):
    milestones = jnp.asarray(sorted(s.milestones.elements()))
    return lambda epoch: base * s.gamma ** jnp.searchsorted(milestones, epoch, side="right")


def _constant(s, base):
    if s.total_iters == 0:  # torch restores the rate in the step that reaches `total_iters`, which is none
        return lambda epoch: jnp.full(jnp.shape(epoch), base * s.factor)
    return lambda epoch: jnp.where(epoch >= s.total_iters, base, base * s.factor)


def _linear(s, base):
    if s.total_iters == 0:
        return lambda epoch: jnp.full(jnp.shape(epoch), base * s.start_factor)
    rise = (s.end_factor - s.start_factor) / s.total_iters
    return lambda epoch: base * (s.start_factor + rise * jnp.minimum(s.total_iters, epoch))


def _exponential(s, base):
    return lambda epoch: base * s.gamma**epoch


def _polynomial(s, base):
    if s.total_iters == 0:
        return lambda epoch: jnp.full(jnp.shape(epoch), base)
    return lambda epoch: base * (1 - jnp.minimum(s.total_iters, epoch) / float(s.total_iters)) ** s.power


def _cosine(s, base):
    """`eta_min` is a rate; optax's `alpha` is a fraction of the initial rate. The rate rises again after `T_max`."""
    return lambda epoch: s.eta_min + (base - s.eta_min) * (1 + jnp.cos(math.pi * epoch / s.T_max)) / 2


def _cosine_restarts(s, base):
    def rate(epoch):
        if s.T_mult == 1:
            portion = epoch % s.T_0 / float(s.T_0)
        else:
            # integer restarts, because a logarithm would round there
            starts = [s.T_0 * (s.T_mult**n - 1) // (s.T_mult - 1) for n in range(32)]
            starts = jnp.asarray([start for start in starts if start < 2**31])
            n = jnp.searchsorted(starts, epoch, side="right") - 1
            portion = (epoch - starts[n]) / (s.T_0 * float(s.T_mult) ** n)
        return s.eta_min + (base - s.eta_min) * (1 + jnp.cos(math.pi * portion)) / 2

    return rate


def _cyclic(s, base, top):
    if s._scale_fn_custom is not None:
        raise ConfigError("a built-in mode", "a CyclicLR with scale_fn", "write it as a function of the step")

    def rate(epoch):
        cycle = jnp.floor(1 + epoch / s.total_size)
        x = 1 + epoch / s.total_size - cycle
        height = jnp.where(x <= s.step_ratio, x / s.step_ratio, (x - 1) / (s.step_ratio - 1))
        shrink = {"triangular": 1.0, "triangular2": 0.5 ** (cycle - 1), "exp_range": s.gamma**epoch}
        return base + (top - base) * height * shrink[s.mode]

    return rate


def _one_cycle(s, group: int, what: str) -> optax.Schedule:
    rates, ends = s.optimizer.param_groups[group], [phase["end_step"] for phase in s._schedule_phases]
    anneal = _cosine_between if s._anneal_func_type == "cos" else _line_between

    def rate(epoch):
        value = jnp.nan
        for phase, start, end, last in reversed(
            [*zip(s._schedule_phases, [0, *ends], ends, [*ends[:-1], s.total_steps])]
        ):
            between = anneal(
                rates[phase[f"start_{what}"]], rates[phase[f"end_{what}"]], (epoch - start) / float(end - start)
            )
            value = jnp.where(epoch <= last, between, value)
        return value

    return rate


def _cosine_between(start, end, portion):
    return end + (start - end) / 2 * (1 + jnp.cos(math.pi * portion))


def _line_between(start, end, portion):
    return start + (end - start) * portion


def _python(s, kind: str, group: int, epochs: int | None) -> optax.Schedule:
    """A Python function cannot be traced, so its values are tabulated; beyond the table, the rate is NaN."""
    if epochs is None:
        raise ConfigError("epochs=, the number of values to tabulate", f"a {kind}, which is a Python function")
    factors = np.asarray([s.lr_lambdas[group](epoch) for epoch in range(epochs)], np.float64)
    if kind == "MultiplicativeLR":
        factors = np.cumprod([1.0, *factors[1:]])
    rates = jnp.asarray(_base(s, group) * factors)
    return lambda epoch: jnp.where(jnp.less(epoch, epochs), rates[jnp.minimum(epoch, epochs - 1)], jnp.nan)


def _sequential(s, group: int, epochs: int | None) -> optax.Schedule:
    """Each part counts from its own milestone."""
    for part in s._schedulers[1:]:
        if type(part).__name__ in ("MultiplicativeLR", "OneCycleLR", "ChainedScheduler", "SequentialLR"):
            raise ConfigError(
                "parts that start from their own initial rate", f"a {type(part).__name__} after another part"
            )
    if any(getattr(part, "cycle_momentum", False) for part in s._schedulers):
        raise ConfigError("cycle_momentum=False in every part", "a part that cycles the momentum")
    parts = [torch_schedule(part, type(part).__name__, group, epochs) for part in s._schedulers]
    starts = [0, *s._milestones]

    def rate(epoch):
        epoch = jnp.asarray(epoch)
        value = parts[0](epoch)
        for part, start in zip(parts[1:], starts[1:]):
            value = jnp.where(epoch < start, value, part(jnp.maximum(epoch - start, 0)))
        return value

    return rate


def _chained(s, group: int, epochs: int | None) -> optax.Schedule:
    """The product of the parts' factors."""
    kinds = [type(part).__name__ for part in s._schedulers]
    for kind in kinds:
        if kind not in FACTORS:
            raise ConfigError(f"parts that multiply the rate ({', '.join(FACTORS)})", f"a {kind}", "SequentialLR")
    factors = [FORMS[kind](part, 1.0) for kind, part in zip(kinds, s._schedulers)]
    base = _base(s._schedulers[0], group)
    return lambda epoch: base * math.prod(factor(epoch) for factor in factors)


FACTORS = ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR")

FORMS: dict[str, Callable[[Any, float], optax.Schedule]] = {
    "StepLR": _step,
    "MultiStepLR": _multi_step,
    "ConstantLR": _constant,
    "LinearLR": _linear,
    "ExponentialLR": _exponential,
    "PolynomialLR": _polynomial,
    "CosineAnnealingLR": _cosine,
    "CosineAnnealingWarmRestarts": _cosine_restarts,
}

REFUSED = {
    "ReduceLROnPlateau": "it depends on the loss: use optax.contrib.reduce_on_plateau with patience + 1, since torch "
    "waits for more than `patience` bad epochs, and optax and Keras for `patience`",
}
