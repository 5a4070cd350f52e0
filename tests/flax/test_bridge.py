"""Flax modules inside networks, and networks as Flax modules: the same outputs, gradients and state as Flax alone."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import compose
from compose import batch_norm, compose_seq, dropout, fc, relu, repeat
from compose.core import registry
from compose.core.errors import ConfigError, FileError, MissingRng, ParamsError, ShapeError

nn = pytest.importorskip("flax.linen")
from flax import nnx, serialization  # noqa: E402
from flax.training import train_state  # noqa: E402

from compose.flax import LinenLayer, as_linen, as_nnx, from_variables, layer, to_variables  # noqa: E402


class Block(nn.Module):
    """With everything that a module may have: parameters, statistics, dropout, a train flag."""

    size: int
    rate: float = 0.0

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.size)(x))
        return nn.Dropout(self.rate, deterministic=not train)(jnp.tanh(x))


class NnxBlock(nnx.Module):
    def __init__(self, n: int, size: int, rate: float = 0.0, *, rngs: nnx.Rngs):
        self.dense = nnx.List([nnx.Linear(n, size, rngs=rngs)])
        self.norm = nnx.BatchNorm(size, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        return self.drop(jnp.tanh(self.norm(self.dense[0](x))))


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(6, 5)), jnp.float32)


def close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), a, b)


def test_a_linen_layer_is_the_module(x, key):
    net, module = fc(4) >> layer(Block(3), name="block"), Block(3)
    params, state = net.init(key, x)
    inner = to_variables(params["block"])["params"]
    assert jax.tree.map(jnp.shape, inner) == jax.tree.map(
        jnp.shape, module.init(key, jnp.ones((6, 4)), False)["params"]
    )

    def theirs(params, train):
        h = x @ params["fc_0"]["kernel"] + params["fc_0"]["bias"]
        variables = {"params": params["block"], **state["block"]}
        return module.apply(variables, h, train, mutable=["batch_stats"])

    for train in (False, True):
        y, after = net.apply(params, state, x, train=train, rng=1)
        expected, changed = theirs(params, train)
        close(y, expected)
        close(after["block"], changed if train else state["block"])
    ours = jax.grad(lambda p: jnp.sum(net.apply(p, state, x, train=True, rng=1)[0] ** 3))(params)
    close(ours, jax.grad(lambda p: jnp.sum(theirs(p, True)[0] ** 3))(params))


def test_an_nnx_layer_is_the_module(x, key):
    net = layer(NnxBlock, 5, 3)
    params, state = net.init(key, x)
    assert params["dense"]["0"]["kernel"].shape == (5, 3) and set(state) == {"norm"}
    module = NnxBlock(5, 3, rngs=nnx.Rngs(0))
    module.dense[0].kernel.set_value(params["dense"]["0"]["kernel"])
    close(net.apply(params, state, x)[0], (module.eval(), module(x))[1])
    y, after = net.apply(params, state, x, train=True, rng=1)
    module.train()
    close(y, module(x))
    close(after["norm"]["mean"], module.norm.mean.get_value())
    assert float(jnp.abs(after["norm"]["mean"]).max()) > 0


@pytest.mark.parametrize("made", [lambda: layer(Block(40, 0.5)), lambda: layer(NnxBlock, 5, 40, 0.5)])
def test_dropout_draws_from_the_rng_of_apply(made, x, key):
    net = made()
    params, state = net.init(key, x)
    run = lambda rng: np.asarray(net.apply(params, state, x, train=True, rng=rng)[0])
    assert (run(1) == run(1)).all() and (run(1) != run(2)).any() and 0.3 < (run(1) == 0).mean() < 0.7
    with pytest.raises(MissingRng):
        net.apply(params, state, x, train=True)


def test_every_leaf_starts_as_flax_draws_it(key):
    x = jnp.ones((1, 400))
    net = repeat(3, layer(nn.Dense(400, bias_init=nn.initializers.normal(2.0))))
    params, _ = net.init(key, x)
    kernel, bias = params["flax_0"]["kernel"] if "flax_0" in params else params["kernel"], jax.tree.leaves(params)[0]
    assert kernel.shape == (3, 400, 400) and abs(float(kernel.std()) - 400**-0.5) < 2e-3
    assert 1.8 < float(bias.std()) < 2.2 and (kernel[0] != kernel[1]).any()


def test_a_net_with_flax_inside_learns(rng):
    x = rng.normal(size=(256, 5)).astype(np.float32)
    y = (x.sum(1) > 0).astype(int)
    net = compose_seq(fc(16, relu), layer(Block(16, 0.1)), layer(NnxBlock, 16, 8), fc(2, compose.softmax))
    trained = net.fit(x, y, loss="cross_entropy", optimizer=optax.adam(1e-2), epochs=8, batch_size=32, verbose=False)
    assert (np.argmax(trained.predict(x), 1) == y).mean() > 0.9
    assert float(jnp.abs(trained.state["flax_0"]["batch_stats"]["BatchNorm_0"]["mean"]).max()) > 0
    with pytest.raises(FileError, match="register"):
        trained.save("never.safetensors")


def test_a_registered_module_is_a_word(tmp_path, x, monkeypatch):
    monkeypatch.setattr("compose.core.registry._words", registry.words())

    @compose.register
    class flax_block(LinenLayer):
        size: int

        def module(self):
            return Block(self.size)

    net = fc(4) >> flax_block(3)
    assert str(net) == "compose_seq(fc(4), flax_block(3))" and compose.parse(str(net)) == net
    trained = net.fit(x, x[:, :3], loss="mse", optimizer=optax.sgd(0.1), epochs=1, batch_size=3, verbose=False)
    trained.save(tmp_path / "m.safetensors")
    again = compose.load(tmp_path / "m.safetensors")
    close(again.predict(x), trained.predict(x))


def test_what_is_no_module_says_so(x):
    for bad in (nnx.Linear(5, 3, rngs=nnx.Rngs(0)), jnp.tanh, nn.Dense):
        with pytest.raises(ConfigError, match="without rngs"):
            layer(bad)
    with pytest.raises(ShapeError, match="the Flax module"):
        compose_seq(fc(4), layer(nnx.Linear, 5, 3)).out(5)
    with pytest.raises(ParamsError):
        from_variables({"batch_stats": {}})


NET = compose_seq(fc(8, relu, name="a"), batch_norm, dropout(0.25), fc(3))


def test_as_linen_is_the_net(x, key):
    module = as_linen(NET)
    variables = module.init(key, x)
    params, state = from_variables(variables)
    assert jax.tree.map(jnp.shape, (params, state)) == jax.tree.map(jnp.shape, NET.init(key, x))
    assert to_variables(params, state).keys() == variables.keys()
    close(module.apply(variables, x), NET.apply(params, state, x)[0])
    y, after = module.apply(variables, x, train=True, mutable=["batch_stats"], rngs={"dropout": key})
    assert y.shape == (6, 3)
    close(after["batch_stats"], NET.apply(params, state, x, train=True, rng=key)[1])


def test_a_flax_train_state_trains_it_inside_another_module(x, key, tmp_path):
    class Whole(nn.Module):
        @nn.compact
        def __call__(self, x, train: bool = False):
            return nn.Dense(2)(as_linen(NET, name="body")(x, train=train))

    class State(train_state.TrainState):
        batch_stats: dict

    module = Whole()
    variables = module.init(key, x)
    state = State.create(apply_fn=module.apply, params=variables["params"], tx=optax.adam(1e-2),
                         batch_stats=variables["batch_stats"])  # fmt: skip
    target = jnp.stack([x[:, 0], x[:, 1] * 2], 1)

    @jax.jit
    def step(state, rng):
        def loss(params):
            y, after = state.apply_fn({"params": params, "batch_stats": state.batch_stats}, x, train=True,
                                      mutable=["batch_stats"], rngs={"dropout": rng})  # fmt: skip
            return jnp.mean((y - target) ** 2), after["batch_stats"]

        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
        return state.apply_gradients(grads=grads).replace(batch_stats=stats), value

    losses = []
    for i in range(40):
        state, value = step(state, jax.random.key(i))
        losses.append(float(value))
    assert losses[-1] < 0.5 * losses[0]
    (tmp_path / "state").write_bytes(serialization.to_bytes(state))
    fresh = State.create(apply_fn=module.apply, params=variables["params"], tx=optax.adam(1e-2),
                         batch_stats=variables["batch_stats"])  # fmt: skip
    again = serialization.from_bytes(fresh, (tmp_path / "state").read_bytes())
    close(again.params, state.params)
    close(again.batch_stats, state.batch_stats)
    inner = again.params["body"], again.batch_stats["body"]
    close(NET.apply(*inner, x)[0].shape, (6, 3))


def test_as_nnx_is_the_net(x):
    module = as_nnx(NET, x, rngs=nnx.Rngs(0))
    params, state = from_variables(module)
    module.eval()
    close(module(x), NET.apply(params, state, x)[0])
    module.train()
    optimizer = nnx.Optimizer(module, optax.adam(1e-2), wrt=nnx.Param)
    target = x[:, :3]

    @nnx.jit
    def step(module, optimizer):
        value, grads = nnx.value_and_grad(lambda m: jnp.mean((m(x) - target) ** 2))(module)
        optimizer.update(module, grads)
        return value

    losses = [float(step(module, optimizer)) for _ in range(30)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert float(jnp.abs(module.state["batch_norm_0"]["mean"][...]).max()) > 0


def test_gradients_of_as_nnx_are_the_nets(x):
    module = as_nnx(fc(3, relu), x, rngs=nnx.Rngs(0))
    params, _ = from_variables(module)
    ours = jax.grad(lambda p: jnp.sum(fc(3, relu).apply(p, {}, x)[0] ** 2))(params)
    grads = nnx.grad(lambda m: jnp.sum(m(x) ** 2))(module)
    close(ours["kernel"], grads["params"]["kernel"][...])


def test_compose_alone_imports_no_flax():
    code = "import sys, compose; sys.exit('flax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
