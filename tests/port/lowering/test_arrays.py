"""Masks and integers of a model are buffers: in the state, in their own dtype, not trained, and saved."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import port
from compose.port.lowering.arrays import layer_of

MASK, STEPS = np.tril(np.ones((5, 5), bool)), np.arange(5)


def of_torch():
    torch = pytest.importorskip("torch")

    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(5, 5)
            self.register_buffer("mask", torch.tensor(MASK))

        def forward(self, x):
            y = torch.where(self.mask, self.dense(x)[:, None].expand(-1, 5, 5), torch.zeros(()))
            return y.sum(1) * (torch.arange(5) + x.int())

    return port.from_torch(Masked(), torch.randn(3, 5))


def of_jax():
    def masked(params, x):
        y = jnp.where(jnp.asarray(MASK), jnp.broadcast_to((x @ params["w"])[:, None], (x.shape[0], 5, 5)), 0.0)
        return y.sum(1) * (jnp.arange(5) + x.astype(int))

    draw = np.random.default_rng(0).normal
    return port.from_jax(
        masked, {"w": jnp.asarray(draw(size=(5, 5)), jnp.float32)}, jnp.asarray(draw(size=(3, 5)), jnp.float32)
    )


def of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    w = tf.Variable(np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32))

    @tf.function
    def masked(x):
        wide = tf.broadcast_to((x @ w)[:, None], (tf.shape(x)[0], 5, 5))
        return tf.reduce_sum(tf.where(tf.constant(MASK)[None], wide, 0.0), 1)

    return port.from_tf(masked, np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
@pytest.mark.parametrize("make", [of_torch, of_jax, of_tensorflow])
def test_a_mask_is_saved_and_not_trained(make, tmp_path):
    p = make()
    assert "buffer(" in str(p.net) and 'dtype="bool"' in str(p.net)
    assert all(jnp.issubdtype(a.dtype, jnp.floating) for a in jax.tree.leaves(p.params))
    p.save(tmp_path / "port", p.verify("step"))
    again = port.load(tmp_path / "port")
    x = np.random.default_rng(2).normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(
        again.net.apply(again.params, again.state, x)[0], p.net.apply(p.params, p.state, x)[0]
    )
    assert p.net.fit(x, np.zeros((4, 5), np.float32), loss="mse", epochs=1, start=(p.params, p.state), verbose=False)


@pytest.mark.parametrize(
    "array,expected",
    [
        (MASK, 'buffer(5, 5, dtype="bool")'),
        (STEPS, 'buffer(5, dtype="int32")'),
        (STEPS.astype(np.uint8), 'buffer(5, dtype="int32")'),
        (STEPS / 2, "parameter(5)"),
    ],
)
def test_the_layer_of_an_array(array, expected):
    layer, arrays = layer_of(array, array.shape)
    assert str(layer) == expected
    ((tree, views),) = arrays.items()
    assert tree == ("weights" if expected.startswith("parameter") else "state")
    np.testing.assert_array_equal(views["value"].array, array)
