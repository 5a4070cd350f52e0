"""torch's learning-rate schedules against their ports, step by step."""

from __future__ import annotations

import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as lrs

from compose import port
from compose.core.errors import ConfigError

pytestmark = pytest.mark.usefixtures("x64")

TORCH = {
    "StepLR": lambda o: lrs.StepLR(o, 3, gamma=0.3),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "ConstantLR": lambda o: lrs.ConstantLR(o, 0.3, 4),
    "ConstantLR of no steps": lambda o: lrs.ConstantLR(o, 0.3, 0),
    "LinearLR of no steps": lambda o: lrs.LinearLR(o, 0.2, 0.9, 0),
    "PolynomialLR of no steps": lambda o: lrs.PolynomialLR(o, 0),
    "LinearLR": lambda o: lrs.LinearLR(o, 0.2, 0.9, 6),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o, 8, power=2.5),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 7, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 5, eta_min=0.01),
    "CosineAnnealingWarmRestarts growing": lambda o: lrs.CosineAnnealingWarmRestarts(o, 2, T_mult=3),
    "LambdaLR": lambda o: lrs.LambdaLR(o, [lambda e: 1.0, lambda e: 0.5 if e > 3 else 1 / (1 + e)]),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, [lambda e: 1.0, lambda e: 0.5 if e > 3 else 0.9]),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, [1.0, 2.0], total_steps=30, cycle_momentum=False),
    "OneCycleLR linear": lambda o: lrs.OneCycleLR(
        o, 1.0, total_steps=40, cycle_momentum=False, anneal_strategy="linear", three_phase=True
    ),
    "CyclicLR": lambda o: lrs.CyclicLR(o, [0.1, 0.2], [1.0, 3.0], 4, 3, cycle_momentum=False),
    "CyclicLR triangular2": lambda o: lrs.CyclicLR(o, 0.1, 1.0, 3, mode="triangular2", cycle_momentum=False),
    "CyclicLR exp_range": lambda o: lrs.CyclicLR(o, 0.1, 1.0, 3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=4), lrs.CosineAnnealingLR(o, 8), lrs.ExponentialLR(o, 0.8)], [4, 12]
    ),
    "SequentialLR restarts": lambda o: lrs.SequentialLR(
        o, [lrs.ConstantLR(o, 0.1), lrs.CosineAnnealingWarmRestarts(o, 3, 2), lrs.StepLR(o, 2)], [3, 17]
    ),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler(
        [lrs.LinearLR(o, 0.1, total_iters=4), lrs.ExponentialLR(o, 0.9), lrs.StepLR(o, 5)]
    ),
}


def groups(**options):
    """An optimizer of two groups, which would warn unless it has stepped."""
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    return torch.optim.SGD([{"params": [weights[0]], "lr": 0.7}, {"params": [weights[1]], "lr": 0.3}], **options)


@pytest.mark.parametrize("name", TORCH)
def test_torch_schedule(name):
    opt = groups()
    scheduler = TORCH[name](opt)
    rate = port.schedule(scheduler, group=1, epochs=30)
    slow = port.schedule(scheduler, steps_per_epoch=7, group=1, epochs=30)
    theirs = []
    for _ in range(30):
        theirs.append(opt.param_groups[1]["lr"])
        opt.step()
        scheduler.step()
    np.testing.assert_allclose([rate(jnp.int32(i)) for i in range(30)], theirs, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose([slow(i) for i in (0, 6, 7, 27, 28)], np.asarray(theirs)[[0, 0, 1, 3, 4]], rtol=1e-12)


def test_past_the_end_the_rate_is_nan():
    opt = groups(momentum=0.9)
    once = port.schedule(lrs.OneCycleLR(opt, 1.0, total_steps=10, cycle_momentum=False))
    assert np.isfinite(once(10)) and np.isnan(once(11))
    table = port.schedule(lrs.LambdaLR(opt, lambda epoch: 1.0), epochs=3)
    assert np.isfinite(table(2)) and np.isnan(table(3))


def test_what_is_no_function_of_the_step_is_refused():
    opt = groups(momentum=0.9)
    with pytest.raises(ConfigError, match="patience"):
        port.schedule(lrs.ReduceLROnPlateau(opt))
    with pytest.raises(ConfigError, match="cycle_momentum=True"):
        port.schedule(lrs.StepLR(opt, 3), value="momentum")
    cycled = lrs.OneCycleLR(opt, 1.0, total_steps=10)
    with pytest.raises(ConfigError, match="in every part"):
        port.schedule(lrs.SequentialLR(opt, [cycled, lrs.StepLR(opt, 3)], [5]))
    with pytest.raises(ConfigError, match="only the rate"):
        port.schedule(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), value="momentum")
    with pytest.raises(ConfigError, match="tabulate"):
        port.schedule(lrs.LambdaLR(opt, lambda epoch: 1.0))
    with pytest.raises(ConfigError, match="scale_fn"):
        port.schedule(lrs.CyclicLR(opt, 0.1, 1.0, scale_fn=lambda x: x, cycle_momentum=False))
    with pytest.raises(ConfigError, match="multiply"):
        port.schedule(lrs.ChainedScheduler([lrs.CosineAnnealingLR(opt, 3)]))
    with pytest.raises(ConfigError, match="schedule of torch"):
        port.schedule(0.1)
    with pytest.raises(ConfigError, match="count steps"):
        port.schedule(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), steps_per_epoch=3)
