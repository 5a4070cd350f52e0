"""Each optimizer of torch.optim against its port."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import port
from compose.core.errors import ConfigError
from tests.port.train.optimizers.optimize import SHAPES, error, problem, run_port, run_torch

pytestmark = pytest.mark.usefixtures("x64")

OPTIMIZERS = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        {"momentum": 0.8, "weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1, "maximize": True},
    ],
    "Adam": [
        {},
        {"betas": (0.8, 0.95), "eps": 1e-3},
        {"amsgrad": True, "weight_decay": 0.1},
        {"weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"betas": (0.0, 0.9), "amsgrad": True},
    ],
    "AdamW": [{}, {"amsgrad": True}, {"weight_decay": 0.3, "maximize": True}],
    "NAdam": [
        {},
        {"momentum_decay": 0.1, "weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "RAdam": [
        {},
        {"betas": (0.8, 0.9), "eps": 1e-3},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"weight_decay": 0.1, "maximize": True},
    ],
    "Adamax": [{}, {"weight_decay": 0.1, "eps": 1e-3}, {"maximize": True}],
    "Adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator_value": 0.3, "weight_decay": 0.1}, {"maximize": True}],
    "Adadelta": [{}, {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}, {"maximize": True}],
    "RMSprop": [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"centered": True, "alpha": 0.9},
        {"centered": True, "momentum": 0.5, "maximize": True},
    ],
    "Rprop": [{}, {"etas": (0.3, 1.5), "step_sizes": (0.02, 0.2)}, {"maximize": True}],
    "ASGD": [{}, {"lambd": 0.1, "alpha": 0.5, "t0": 5, "weight_decay": 0.1}, {"maximize": True}],
    "Adafactor": [{}, {"eps": (1e-5, 0.1), "d": 1.5, "beta2_decay": -0.5, "weight_decay": 0.1}, {"maximize": True}],
}
CASES = [pytest.param(name, options, id=f"{name} {options}") for name in OPTIMIZERS for options in OPTIMIZERS[name]]


def pair(name, options, rates):
    """The error of a port over thirty steps whose i-th rate is `rates(i)`."""
    params, grads = problem()
    make = lambda tensors: getattr(torch.optim, name)(list(tensors.values()), **options)

    def before(opt, i):
        opt.param_groups[0]["lr"] = rates(i)

    theirs = run_torch(make, params, grads, before)
    tx = port.optimizer(
        make({"w": torch.zeros(1)}), learning_rate=lambda i: jnp.asarray([rates(k) for k in range(30)])[i]
    )
    return error(params, run_port(tx, params, grads), theirs)


@pytest.mark.parametrize("name, options", CASES)
def test_thirty_steps_at_a_varying_rate(name, options, record_property):
    worst = pair(name, options, lambda i: 0.1 / (1 + i % 5))
    record_property("error", float(worst))
    assert worst <= 1e-12


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["Adam", "AdamW", "NAdam", "RAdam", "Adamax"]),
    betas=st.tuples(st.floats(0.0, 0.99), st.floats(0.5, 0.9999)),
    eps=st.floats(1e-10, 1e-1),
    weight_decay=st.floats(0, 0.5),
    rate=st.floats(1e-4, 0.5),
)
def test_adams_of_any_hyperparameters(kind, betas, eps, weight_decay, rate):
    options = {"betas": betas, "eps": eps, "weight_decay": weight_decay}
    assert pair(kind, options, lambda i: rate) <= 1e-11


@settings(max_examples=8, deadline=None)
@given(
    momentum=st.floats(0.0, 0.99),
    dampening=st.floats(0.0, 1.0),
    weight_decay=st.floats(0, 0.5),
    maximize=st.booleans(),
)
def test_sgd_of_any_hyperparameters(momentum, dampening, weight_decay, maximize):
    options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "maximize": maximize}
    assert pair("SGD", options, lambda i: 0.1 / (1 + i)) <= 1e-12


def test_groups_of_parameters_by_path_and_by_tree():
    params, grads = problem()
    make = lambda t: torch.optim.AdamW(
        [{"params": [t["kernel"]], "weight_decay": 0.1}, {"params": [t["bias"]], "lr": 0.3, "weight_decay": 0.0}],
        lr=0.01,
    )
    opt = make({name: torch.zeros(shape, requires_grad=True) for name, shape in SHAPES.items()})
    theirs = run_torch(make, params, grads)
    for labels in (lambda path: int(path.endswith("bias")), {"kernel": 0, "bias": 1}):
        assert error(params, run_port(port.optimizer(opt, labels=labels), params, grads), theirs) <= 1e-12
    with pytest.raises(ConfigError, match="2 parameter groups"):
        port.optimizer(opt)
    with pytest.raises(ConfigError, match="2 values"):
        port.optimizer(opt, labels=labels, learning_rate=[0.1])
    still = run_port(port.optimizer(opt, labels={"kernel": 0, "bias": -1}), params, grads)
    assert (still[-1]["bias"] == params["bias"]).all()


@pytest.mark.parametrize("max_norm, norm_type", [(0.1, 2.0), (1e4, 2.0), (0.5, 1.0), (0.2, float("inf"))])
def test_clip_grad_norm(max_norm, norm_type):
    params, grads = problem()

    def clip(opt, i):
        torch.nn.utils.clip_grad_norm_(opt.param_groups[0]["params"], max_norm, norm_type)

    make = lambda tensors: torch.optim.SGD(list(tensors.values()), lr=0.1)
    theirs = run_torch(make, params, grads, clip)
    tx = optax.chain(port.clip_grad_norm(max_norm, norm_type), port.optimizer(make({"w": torch.zeros(1)})))
    assert error(params, run_port(tx, params, grads), theirs) <= 1e-12


def test_what_cannot_be_exact_is_refused():
    weight = torch.zeros(2, 2, requires_grad=True)
    for name, hint in [("LBFGS", "optax.lbfgs"), ("Muon", "bfloat16"), ("SparseAdam", "rows")]:
        with pytest.raises(ConfigError, match=hint):
            port.optimizer(getattr(torch.optim, name)([weight]))
    with pytest.raises(ConfigError, match="of torch or Keras itself"):
        port.optimizer("adam")

    class Mine(torch.optim.Adam):
        pass

    with pytest.raises(ConfigError, match="may change Adam"):
        port.optimizer(Mine([weight]))
    image = {"kernel": jnp.zeros((3, 3, 2, 2))}
    with pytest.raises(ConfigError, match="height and width"):
        port.optimizer(torch.optim.Adafactor([weight])).init(image)


def test_a_used_optimizer_and_a_scheduled_one_say_so():
    weight = torch.zeros(2, requires_grad=True)
    weight.grad = torch.ones(2)
    opt = torch.optim.Adam([weight])
    opt.step()
    with pytest.warns(UserWarning, match="not carried over"):
        port.optimizer(opt)
    fresh = torch.optim.Adam([weight])
    torch.optim.lr_scheduler.StepLR(fresh, 3)
    with pytest.raises(ConfigError, match=r"port\.schedule"):
        port.optimizer(fresh)
    port.optimizer(fresh, learning_rate=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32(name):
    params = {"bias": jnp.ones(3, jnp.float32)}
    tx = port.optimizer(getattr(torch.optim, name)([torch.zeros(3)]), learning_rate=lambda i: 0.1 / (1 + i))
    start = tx.init(params)
    updates, state = tx.update(params, start, params)
    types = lambda tree: [x.dtype for x in jax.tree.leaves(tree)]
    assert types(updates) == [jnp.float32] and types(state) == types(start)


@pytest.mark.parametrize(
    "name, options",
    [
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("SGD", {"momentum": 0.9, "dampening": 0.2}),
        ("RMSprop", {"momentum": 0.9}),
        ("AdamW", {}),
        ("Adam", {"amsgrad": True}),
    ],
)
@pytest.mark.parametrize("cycle", ["OneCycleLR", "CyclicLR"])
def test_a_cycled_momentum(name, options, cycle):
    params, grads = problem()
    schedulers = []

    def make(tensors):
        opt = getattr(torch.optim, name)(list(tensors.values()), lr=0.1, **options)
        kinds = torch.optim.lr_scheduler
        once = lambda: kinds.OneCycleLR(opt, 0.1, total_steps=40)
        schedulers.append(once() if cycle == "OneCycleLR" else kinds.CyclicLR(opt, 0.01, 0.1, 4, mode="triangular2"))
        return opt

    theirs = run_torch(make, params, grads, lambda opt, i: schedulers[0].step() if i else None)
    fresh = make({"w": torch.zeros(1)})
    rate = port.schedule(schedulers[1])
    with pytest.raises(ConfigError, match="cycles it"):
        port.optimizer(fresh, learning_rate=rate)
    tx = port.optimizer(fresh, learning_rate=rate, momentum=port.schedule(schedulers[1], value="momentum"))
    assert error(params, run_port(tx, params, grads), theirs) <= 1e-12
