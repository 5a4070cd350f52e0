"""A proof compares in both branches of every choice, or says that it does not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import fc, port
from compose.core.errors import PortError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
P = {name: RNG.normal(size=(4, 4)).astype(np.float32) for name in ("w", "v")}


def choice(at):
    return lambda p, x: lax.cond(x.sum() > at, lambda x: jnp.tanh(x @ p["w"]), lambda x: x @ p["v"], x)


def test_a_fault_in_the_branch_that_the_examples_do_not_take():
    ported = port.from_jax(choice(0.0), P, -abs(X))
    ways = ported.net["join"]
    faulty = ported.net.replace("join", ways.but(layers=(fc(4, bias=False), ways.layers[1])))
    object.__setattr__(ported, "net", faulty)
    with pytest.raises(PortError, match="NOT equal"):
        ported.verify("outputs")


def test_a_branch_that_no_input_takes_is_said():
    ported = port.from_jax(choice(1e6), P, X)
    with pytest.raises(PortError, match=r"its condition is False for every input that was tried.*also=\[inputs\]"):
        ported.verify("outputs")
    assert ported.verify("outputs", also=[X + 1e6]).ok


def test_inputs_of_other_ranks_are_refused():
    with pytest.raises(PortError, match="inputs like the examples"):
        port.from_jax(choice(0.0), P, X).verify("outputs", also=[X[0]])
