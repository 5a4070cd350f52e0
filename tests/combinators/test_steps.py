"""Layers at each step, and what a loop over time may hold."""

import jax.numpy as jnp
import numpy as np
import pytest

from compose import batch_norm, fc, graph, lstm, masked, recurrent, time_distributed
from compose.core.errors import ConfigError, ShapeError


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(2, 3, size=(4, 5, 3)), jnp.float32)


def test_state_at_each_step_is_that_of_all_steps_together(x):
    net = time_distributed(batch_norm(momentum=0))
    params, state = net.init(0, x)
    y, after = net.apply(params, state, x, train=True)
    np.testing.assert_allclose(after["mean"], x.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-5)
    assert y.shape == x.shape


def test_each_step_by_itself_needs_a_time_axis():
    with pytest.raises(ShapeError, match=r"a sequence \(batch, time, ..., features\)"):
        time_distributed(fc(2)).init(0, 3)


def test_a_cell_keeps_no_state(x):
    cell = graph(lambda h, x: (h, batch_norm()(x)))
    with pytest.raises(ConfigError, match="a cell without state"):
        recurrent(cell).init(0, x, jnp.zeros((4, 2)))


def test_a_cell_gives_its_carry_as_it_got_it(x):
    with pytest.raises(ShapeError, match=r"a cell that returns a carry like its input carry, \(4, 2\)"):
        recurrent(graph(lambda h, x: (fc(3)(h), x))).init(0, x, jnp.zeros((4, 2)))


def test_a_mask_within_a_mask_leaves_out_both(x):
    net = lstm(2, output="last")
    params, _ = net.init(0, x)
    inner = x.at[:, 2:].set(0)
    outer = jnp.arange(5) < 4
    got = masked(net).apply(params, {}, inner, mask=jnp.broadcast_to(outer.at[1].set(False), (4, 5)))[0]
    np.testing.assert_allclose(got, net.apply(params, {}, x[:, :1])[0], rtol=1e-5, atol=1e-6)
