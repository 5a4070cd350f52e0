"""Small Flax modules, Linen and NNX, ported and proven to twenty equal training steps."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import optax
import pytest

import compose
from compose import port
from compose.core.errors import PortError

pytest.importorskip("flax")
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

from tests.port.frontends.flax import linen_models as linen
from tests.port.frontends.flax import nnx_models
from tests.port.levels import proofs

SHAPES = {
    "Autoencoder": [(4, 784)],
    "Cnn": [(4, 12, 12, 3)],
    "Residual": [(3, 5, 4)],
    "Lstm": [(3, 5, 4)],
    "Gru": [(3, 5, 4)],
    "Both": [(3, 5, 4)],
    "Attention": [(3, 5, 8), (3, 7, 6)],
    "Encoder": [(3, 6)],
    "UNet": [(2, 8, 8, 2)],
    "Siamese": [(3, 4), (3, 4)],
    "TwoIn": [(3, 4), (3, 3)],
    "TwoOut": [(3, 4)],
    "ByHand": [(5, 4)],
    "Gpt": [(3, 6)],
    "Scanned": [(3, 4)],
}
NNX_SHAPES = {"Mlp": [(5, 4)], "Cnn": [(3, 9, 9, 3)], "Sequence": [(3, 5, 4)], "Siamese": [(4,), (4,)]}


def examples(shapes, ids=False):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 9, s) if ids else rng.normal(size=s).astype(np.float32) for s in shapes]


@functools.cache
def ported(name):
    xs = examples(SHAPES[name], ids=name in ("Encoder", "Gpt"))
    module = getattr(linen, name)()
    variables = module.init(jax.random.key(0), *xs, **({"train": False} if name == "Cnn" else {}))
    return module, variables, xs, port.from_flax(module, variables, *xs)


@proofs(SHAPES, level="steps")
def test_equal(name, level):
    *_, p = ported(name)
    assert p.verify(level).ok


@proofs(NNX_SHAPES, level="steps")
def test_equal_of_nnx(name, level):
    module = getattr(nnx_models, name)(nnx.Rngs(0))
    before = jax.tree.map(np.asarray, nnx.split(module, nnx.Param, ...)[1])
    p = port.from_flax(module, *examples(NNX_SHAPES[name], ids=name == "Siamese"))
    assert p.verify(level).ok
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.split(module, nnx.Param, ...)[1]))


def test_the_autoencoder_is_the_expression_of_the_design():
    *_, p = ported("Autoencoder")
    assert str(p.net) == "compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))"


@pytest.mark.slow
def test_attention_written_by_hand_is_found_and_other_sequences_may_have_any_length():
    module, variables, _, p = ported("Attention")
    assert "scaled_dot_product_attention" in p.source and "causal=True" in p.source
    xs = examples([(2, 9, 8), (2, 3, 6)])
    y, _ = p.net.apply(p.params, p.state, *xs)
    np.testing.assert_allclose(y, module.apply(variables, *xs), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_equal_blocks_are_a_repeat_and_a_tied_table_is_shared():
    assert "repeat(" in ported("Residual")[-1].source
    assert "e.attend" in ported("Encoder")[-1].source


@pytest.mark.slow
def test_stacked_weights_are_a_repeat_and_masks_by_hand_are_causal():
    assert "repeat(3, residual(" in ported("Scanned")[-1].source
    source = ported("Gpt")[-1].source
    assert "scaled_dot_product_attention(causal=True)" in source and "learned_positions(6)" in source


@pytest.mark.slow
def test_weights_go_back_to_the_modules_own_variables():
    module, variables, (x,), p = ported("Lstm")
    moved = jax.tree.map(lambda a: a + 0.1, p.params)
    back = p.to_flax_variables(moved)
    assert jax.tree.map(jnp.shape, back) == jax.tree.map(jnp.shape, variables)
    np.testing.assert_allclose(p.net.apply(moved, p.state, x)[0], module.apply(back, x), rtol=1e-4, atol=1e-5)
    assert "part 2 of 4" in str(p.weights)


@pytest.mark.slow
def test_a_saved_port_knows_the_way_back(tmp_path):
    _, variables, (x,), p = ported("Lstm")
    p.save(tmp_path / "lstm")
    again = port.load(tmp_path / "lstm")
    assert again.weights == p.weights
    np.testing.assert_array_equal(
        again.net.apply(again.params, again.state, x)[0], p.net.apply(p.params, p.state, x)[0]
    )
    jax.tree.map(np.testing.assert_array_equal, again.to_flax_variables(again.params), variables)


def test_weights_go_back_to_an_nnx_module():
    module, (x,) = nnx_models.Mlp(nnx.Rngs(0)), examples(NNX_SHAPES["Mlp"])
    p = port.from_flax(module, x)
    moved = jax.tree.map(lambda a: a + 0.1, p.params)
    _, variables, _ = nnx.split(module, (nnx.Param, nnx.BatchStat), ...)
    nnx.replace_by_pure_dict(variables, p.to_flax_variables(moved))
    nnx.update(module, variables)
    module.eval()
    np.testing.assert_allclose(p.net.apply(moved, p.state, x)[0], module(x), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_an_optimizer_of_optax_is_the_proofs():
    *_, p = ported("TwoOut")
    assert p.verify("steps", optax.adamw(1e-2)).ok
    with pytest.raises(PortError, match="optimizer of optax"):
        p.verify("step", object())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, path, change, blamed",
    [
        ("Residual", "repeat_0/residual_0/body/layer_norm_0", {"epsilon": 1e-3}, "layer_norm"),
        ("Residual", "repeat_0/residual_0/body/fc_0", {"activation": compose.gelu}, "fc_0"),
        ("Cnn", "batch_norm_0", {"momentum": 0.99}, "batch_norm"),
        ("Lstm", "lstm_1", {"reverse": False}, "lstm_1"),
    ],
)
def test_a_planted_fault_is_caught_and_named(name, path, change, blamed):
    *_, p = ported(name)
    keys = [k for k, _ in p.net.walk()]
    path = next(k for k in keys if k.endswith(path.rsplit("/", 1)[-1]))
    faulty = dataclasses.replace(p, net=p.net.replace(path, p.net[path].but(**change)))
    with pytest.raises(PortError, match=blamed):
        faulty.verify("step")


class Odd(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = jnp.exp(nn.Dense(3)(x))
        return jax.lax.linalg.lu(jax.lax.igamma_grad_a(x, x))[0]


def test_what_has_no_rule_is_listed_with_the_users_lines():
    x = np.ones((2, 4), np.float32)
    variables = Odd().init(jax.random.key(0), x)
    with pytest.raises(PortError, match=r"jax.igamma_grad_a \(1×\), first at .*test_lower.py:\d+") as first:
        port.from_flax(Odd(), variables, x)
    assert "jax.lu" not in str(first.value)
    with pytest.raises(PortError, match=r"jax.lu \(1×\), first at .*test_lower.py:\d+"):
        port.from_flax(Odd(), variables, x, partial=True)


class Branching(nn.Module):
    def __call__(self, x):
        return x + 1 if x.sum() > 0 else x - 1


def test_what_cannot_be_traced_or_is_no_module_says_so():
    x = np.ones((2, 4), np.float32)
    with pytest.raises(PortError, match="that JAX can trace, got TracerBoolConversionError"):
        port.from_flax(Branching(), {}, x)
    with pytest.raises(PortError, match="a Linen module and its variables"):
        port.from_flax(jnp.tanh, x)
    with pytest.raises(PortError, match="example inputs"):
        port.from_flax(nn.Dense(3), {"params": {}})
    with pytest.raises(PortError, match="the variables of the module"):
        port.from_flax(nn.Dense(3), x, x)


def test_a_rule_for_a_module_of_ones_own(monkeypatch):
    monkeypatch.setattr("compose.port.lowering.registry._custom", {})

    class Gain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x * jnp.exp(self.param("log", nn.initializers.ones, (4,)))

    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    variables = Gain().init(jax.random.key(0), x)
    assert "ops.exp" in str(port.from_flax(Gain(), variables, x).net)

    @port.rule(Gain)
    def _(low, module, x):
        return low.emit(compose.learned_scale(), x, weights={"scale": low.weights["log"]})

    assert str(port.from_flax(Gain(), variables, x).net) == "learned_scale()"


@pytest.mark.parametrize("padding", [((0, 2), (0, 2)), ((1, 2), (0, 1))])
def test_a_transposed_convolution_with_equal_pairs_of_padding(padding):
    module, x = nn.ConvTranspose(3, (3, 3), padding=padding), examples([(2, 6, 6, 2)])[0]
    assert port.from_flax(module, module.init(jax.random.key(0), x), x).verify("outputs").ok


@pytest.mark.parametrize(
    "build",
    [
        lambda r: nnx.LinearGeneral(6, (2, 3), rngs=r),
        lambda r: nnx.MultiHeadAttention(2, 6, normalize_qk=True, decode=False, rngs=r),
        lambda r: nnx.RNN(nnx.GRUCell(6, 3, rngs=r), time_major=True),
    ],
)
def test_options_of_nnx(build):
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    assert port.from_flax(build(nnx.Rngs(0)), x).verify("gradients", tolerance=1e-8).ok
