"""A model in the midst of its training: ten steps in the source, the port, ten more in both, to the same weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from compose import port
from compose.core.errors import ConfigError
from tests.port.bundle.test_round_trip import Deep, weights_of
from tests.port.frontends.torch.torch_models import Attention

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.usefixtures("x64")

TORCH = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True, "weight_decay": 0.01},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
    "Adamax": {},
    "Adagrad": {},
    "Adadelta": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Rprop": {},
    "ASGD": {},
}


class Smooth(torch.nn.Module):
    """Blocks that become a `repeat`, and packed attention; no biases whose gradient is zero but for rounding."""

    def __init__(self):
        super().__init__()
        block = lambda: [torch.nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4), torch.nn.Tanh()]
        self.blocks = torch.nn.Sequential(*[torch.nn.Sequential(*block()) for _ in range(4)])
        self.attention = torch.nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        tokens = self.blocks(x).flatten(1).reshape(len(x), -1, 8)
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))


def torch_steps(model, opt, x, target, count=10):
    for _ in range(count):
        opt.zero_grad()
        ((model(x) - target) ** 2).mean().backward()
        opt.step()


def our_steps(p, tx, x, target, count=10):
    """The same here, as a function of the optimizer's state."""

    @jax.jit
    def step(params, state, opt_state):
        def loss(params):
            y, after = p.net.apply(params, state, x, train=True)
            return jnp.mean((y - target) ** 2), after

        grads, after = jax.grad(loss, has_aux=True)(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), after, opt_state

    def run(opt_state):
        params, state = p.params, p.state
        for _ in range(count):
            params, state, opt_state = step(params, state, opt_state)
        return params, state

    return run


def furthest(ours, theirs, before):
    """The largest difference, relative to the furthest that any weight went."""
    moved = max(np.abs(b - c).max() for b, c in zip(theirs, before))
    assert moved > 0
    return max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)) / moved


@pytest.mark.parametrize("name", TORCH)
def test_a_torch_optimizer_goes_on(name, rng):
    torch.manual_seed(0)
    model, double = Smooth().double(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam and ASGD keep their counters in it
    try:
        x, target = torch.from_numpy(rng.normal(size=(5, 4, 5, 6))), torch.from_numpy(rng.normal(size=(5, 2)))
        opt = getattr(torch.optim, name)(model.parameters(), lr=1e-2, **TORCH[name])
        torch_steps(model.train(), opt, x, target)
        p = port.from_torch(model, x)
        tx, opt_state = p.optimizer(opt)
        torch_steps(model.train(), opt, x, target)
        run = our_steps(p, tx, p.ours([x.numpy()])[0], target.numpy())
        params, state = run(opt_state)
        names = [n for n, _ in model.named_parameters()] + [n for n in p.graph.arrays if "running" in n]
        made, after = p.to_source(params, state), model.state_dict()
        before = [p.graph.arrays[n] for n in names]
        assert furthest([made[n] for n in names], [after[n].numpy() for n in names], before) <= 1e-12
        fresh = p.to_source(*run(tx.init(p.params)))
        assert furthest([fresh[n] for n in names], [after[n].numpy() for n in names], before) > 1e-6 or name == "ASGD"
    finally:
        torch.set_default_dtype(double)


@pytest.fixture
def keras_wide():
    from compose.keras.float64 import float64

    with float64():
        yield


KERAS = {
    "SGD": {"momentum": 0.9},
    "Adam": {"amsgrad": True},
    "Nadam": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adadelta": {},
    "Ftrl": {},
}


@pytest.mark.parametrize("name", KERAS)
def test_a_keras_optimizer_goes_on(name, rng, keras_wide):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(3, 3, padding="same", activation="tanh") for _ in range(4)]
    model = keras.Sequential([keras.Input((6, 5, 3)), *layers, keras.layers.Flatten(), keras.layers.Dense(3)])
    x, target = rng.normal(size=(5, 6, 5, 3)), rng.normal(size=(5, 3))
    opt = getattr(keras.optimizers, name)(learning_rate=1e-2, **KERAS[name])
    opt.build(model.trainable_variables)

    def steps():
        for _ in range(10):
            values = [v.value for v in model.trainable_variables]
            rest = [v.value for v in model.non_trainable_variables]
            loss = lambda ws: jnp.mean((model.stateless_call(ws, rest, x)[0] - target) ** 2)  # noqa: B023
            opt.apply(jax.grad(loss)(values), model.trainable_variables)

    steps()
    p = port.from_keras(model, x)
    assert "repeat(" in str(p.net)
    tx, opt_state = p.optimizer(opt)
    before = weights_of(model)
    steps()
    run = our_steps(p, tx, x, target)
    params, _ = run(opt_state)
    assert furthest(p.to_keras_weights(params), weights_of(model), before) <= 1e-12
    fresh, _ = run(tx.init(p.params))
    assert furthest(p.to_keras_weights(fresh), weights_of(model), before) > 1e-6


def test_a_rate_that_changes_needs_the_steps_of_sgd():
    model, x = Deep().double(), torch.randn(3, 4, 5, 6, dtype=torch.float64)
    opt = torch.optim.SGD(model.parameters(), momentum=0.9)
    p = port.from_torch(model, x)
    torch_steps(model, opt, x, 1.0, 3)
    with pytest.raises(ConfigError, match="the number of steps that SGD has taken"):
        p.optimizer(opt, learning_rate=lambda step: 0.1)
    _, opt_state = p.optimizer(opt, learning_rate=lambda step: 0.1, steps=3)
    assert [int(n) for n in jax.tree.leaves(opt_state) if jnp.ndim(n) == 0] == [3]


def test_moments_that_no_map_carries():
    model, x = Deep().double(), torch.randn(3, 4, 5, 6, dtype=torch.float64)
    p = port.from_torch(model, x)
    halves = [{"params": model.blocks.parameters()}, {"params": model.head.parameters()}]
    for opt, says in (
        (torch.optim.Adam(halves), "a single parameter group"),
        (torch.optim.Adam(Deep().double().parameters()), "over the parameters of the ported model"),
    ):
        torch_steps(model, opt, x, 1.0, 1)
        with pytest.raises(ConfigError, match=says):
            p.optimizer(opt)


@pytest.mark.slow
def test_optimizers_of_whole_arrays_are_refused_where_blocks_are_stacked():
    """Lamb, Adafactor and clipping by each array's norm see one array in a `repeat` where the source has several."""
    layers = [keras.layers.Dense(6, activation="tanh") for _ in range(4)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    p = port.from_keras(model)
    for opt in (keras.optimizers.Lamb(), keras.optimizers.Adafactor(), keras.optimizers.SGD(0.1, clipnorm=0.1)):
        for use in (p.optimizer, lambda opt: p.verify("step", opt)):
            with pytest.raises(ConfigError, match=r"stacks the blocks of a repeat(.|\n)*p\.unstacked\(\)"):
                use(opt)
        assert "repeat(" not in str(p.unstacked().net)
        assert p.unstacked().verify("steps", opt, steps=3).ok
    assert p.verify("step", keras.optimizers.SGD(0.1, global_clipnorm=0.1)).ok


def test_optimizers_of_whole_arrays_are_refused_where_an_array_is_three_here():
    p = port.from_torch(Attention(), torch.randn(3, 5, 8))
    with pytest.raises(ConfigError, match=r"query_kernel, which is a part of .*in_proj_weight"):
        p.optimizer(torch.optim.Adafactor([torch.nn.Parameter(torch.zeros(3))]))
