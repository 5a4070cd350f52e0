"""Weights go back to the source bit for bit, and after training with `compose` both models still compute the same."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import ParamsError, PortError
from tests.port.frontends.keras.test_lower import CASES as KERAS_CASES
from tests.port.frontends.torch.torch_models import CASES as TORCH_CASES

keras = pytest.importorskip("keras")


class Deep(nn.Module):
    """Equal blocks, which become a `repeat`: their weights are stacked here."""

    def __init__(self):
        super().__init__()
        block = lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.blocks = nn.Sequential(*[block() for _ in range(4)])
        self.head = nn.Linear(4, 2)
        self.register_buffer("unread", torch.arange(3.0))
        self.register_buffer("offset", torch.tensor([0.5, 2.0]))

    def forward(self, x):
        return self.head(self.blocks(x).mean((2, 3))) + self.offset


def encoder():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 3), torch.randn(3, 5, 8)


TORCH = {
    **{k: TORCH_CASES[k] for k in ("cnn", "stacked lstm", "bidirectional", "attention", "decoder", "unet", "tied")},
    "repeat": lambda: (Deep(), torch.randn(3, 4, 5, 6)),
    "repeated attention": encoder,
}


def ported_torch(name):
    torch.manual_seed(0)
    model, *inputs = TORCH[name]()
    for tensor in model.state_dict().values():
        tensor.add_(torch.rand(tensor.shape).round(decimals=2) if tensor.is_floating_point() else 3)
    return port.from_torch(model, *inputs), model, inputs


@pytest.mark.parametrize("name", TORCH)
def test_a_state_dict_comes_back_bit_for_bit(name):
    p, model, _ = ported_torch(name)
    before = model.state_dict()
    made = p.to_torch_state_dict(p.params)
    assert list(made) == list(before)
    for key, tensor in made.items():
        assert tensor.dtype == before[key].dtype and torch.equal(tensor, before[key]), key
    if "repeat" in name:
        assert "repeat(" in str(p.net)


def fine_tuned(p, xs, steps=3):
    """Some steps of gradient descent with batch statistics, as anyone would write them."""
    net, key = p.without_dropout(), jax.random.key(0)

    @jax.jit
    def step(params, state):
        def loss(params):
            y, after = net.apply(params, state, *xs, train=True, rng=key)
            return sum(jnp.mean(jnp.square(leaf)) for leaf in jax.tree.leaves(y)), after

        grads, after = jax.grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, grads), after

    params, state = p.params, p.state
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "repeat", "stacked lstm", "repeated attention", "tied"])
def test_a_torch_model_computes_what_was_fine_tuned_here(name):
    p, model, inputs = ported_torch(name)
    xs = p.ours([x.numpy() for x in inputs])
    params, state = fine_tuned(p, xs)
    model.load_state_dict(p.to_torch_state_dict(params, state), strict=True)
    ours, before = (p.net.apply(tree, s, *xs)[0] for tree, s in ((params, state), (p.params, p.state)))
    assert not np.allclose(jax.tree.leaves(ours)[0], jax.tree.leaves(before)[0], atol=1e-3)
    theirs = model.eval()(*inputs).detach()
    close(p.theirs_out([np.asarray(ours)]), [theirs.numpy()])


def recurrent():
    L = keras.layers
    inner = [L.Bidirectional(L.LSTM(4, return_sequences=True)), L.GRU(3), L.Dense(2)]
    return keras.Sequential([keras.Input((7, 5)), *inner])


def attentive():
    L = keras.layers
    x = keras.Input((5, 8))
    h = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(x, L.Normalization(mean=0.5, variance=2.0)(h))


def deep():
    L = keras.layers
    blocks = []
    for _ in range(3):
        blocks += [L.Conv2D(3, 3, padding="same"), L.BatchNormalization(), L.ReLU()]
    return keras.Sequential([keras.Input((6, 6, 3)), *blocks, L.GlobalAveragePooling2D()])


KERAS = {
    **{k: KERAS_CASES[k] for k in ("cnn", "shared")},
    "recurrent": recurrent,
    "attention": attentive,
    "repeat": deep,
}


def weights_of(model):
    """`model.get_weights()`, which warns of NumPy 2."""
    return [keras.ops.convert_to_numpy(v.value) for v in model.weights]


def ported_keras(name):
    keras.utils.set_random_seed(0)
    model = KERAS[name]()
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.random(w.shape).astype(w.dtype) for w in weights_of(model)])
    return port.from_keras(model), model


@pytest.mark.parametrize("name", KERAS)
def test_keras_weights_come_back_bit_for_bit(name):
    p, model = ported_keras(name)
    before, made = weights_of(model), p.to_keras_weights(p.params)
    assert len(made) == len(before)
    for a, b in zip(made, before):
        assert a.dtype == b.dtype and np.array_equal(a, b)


@pytest.mark.parametrize("name", KERAS)
def test_a_keras_model_computes_what_was_fine_tuned_here(name):
    p, model = ported_keras(name)
    xs = [np.asarray(x, np.float32) for x in p.reference.inputs()]
    params, state = fine_tuned(p, xs)
    model.set_weights(p.to_keras_weights(params, state))
    ours = p.net.apply(params, state, *xs)[0]
    close(ours, [np.asarray(model(xs if len(xs) > 1 else xs[0]))])


def test_weights_of_another_network_are_refused():
    p, *_ = ported_torch("cnn")
    wrong = {**p.params, "head": {"kernel": jnp.zeros((3, 3)), "bias": jnp.zeros(3)}}
    with pytest.raises(ParamsError, match="head/kernel: expected kernel of shape"):
        p.to_torch_state_dict(wrong)
    with pytest.raises(ParamsError, match="no 'head'"):
        p.to_source({k: v for k, v in p.params.items() if k != "head"})


def test_a_port_goes_back_to_its_own_framework_alone():
    p, *_ = ported_torch("cnn")
    with pytest.raises(PortError, match="a port of a keras model, got one of torch"):
        p.to_keras_weights(p.params)
    q, _ = ported_keras("cnn")
    with pytest.raises(PortError, match="a port of a torch model, got one of keras"):
        q.to_torch_state_dict(q.params)
