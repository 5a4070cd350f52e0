"""Flax modules inside networks: training, randomness and errors."""

from __future__ import annotations

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx

import compose
from compose import compose_seq, fc, relu
from compose.core.errors import ConfigError, FileError, MissingRng, ParamsError, ShapeError
from compose.flax import from_variables, layer
from tests.flax.modules import Block, NnxBlock


@pytest.mark.parametrize("made", [lambda: layer(Block(40, 0.5)), lambda: layer(NnxBlock, 5, 40, 0.5)])
def test_dropout_draws_from_the_rng_of_apply(made, x, key):
    net = made()
    params, state = net.init(key, x)
    run = lambda rng: np.asarray(net.apply(params, state, x, train=True, rng=rng)[0])
    assert (run(1) == run(1)).all() and (run(1) != run(2)).any() and 0.3 < (run(1) == 0).mean() < 0.7
    with pytest.raises(MissingRng):
        net.apply(params, state, x, train=True)


@pytest.mark.slow
def test_a_net_with_flax_inside_learns(rng):
    x = rng.normal(size=(256, 5)).astype(np.float32)
    y = (x.sum(1) > 0).astype(int)
    net = compose_seq(fc(16, relu), layer(Block(16, 0.1)), layer(NnxBlock, 16, 8), fc(2, compose.softmax))
    trained = net.fit(x, y, loss="cross_entropy", optimizer=optax.adam(1e-2), epochs=8, batch_size=32, verbose=False)
    assert (np.argmax(trained.predict(x), 1) == y).mean() > 0.9
    assert float(jnp.abs(trained.state["flax_0"]["batch_stats"]["BatchNorm_0"]["mean"]).max()) > 0
    with pytest.raises(FileError, match="register"):
        trained.save("never.safetensors")


def test_what_is_no_module_says_so(x):
    for bad in (nnx.Linear(5, 3, rngs=nnx.Rngs(0)), jnp.tanh, nn.Dense):
        with pytest.raises(ConfigError, match="without rngs"):
            layer(bad)
    with pytest.raises(ShapeError, match="the Flax module"):
        compose_seq(fc(4), layer(nnx.Linear, 5, 3)).out(5)
    with pytest.raises(ParamsError):
        from_variables({"batch_stats": {}})


def test_compose_alone_imports_no_flax():
    code = "import sys, compose; sys.exit('flax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
