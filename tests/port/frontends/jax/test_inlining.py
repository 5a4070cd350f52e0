"""Flax's transforms and wrappers, masks from data and constants: proven to twenty equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from compose.port.frontends.jax.inlining import Flat, Var
from tests.port.levels import proofs

pytest.importorskip("flax")
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

IDS = np.array([[1, 2, 3, 0, 0], [4, 1, 0, 0, 0], [2, 2, 3, 1, 4]])


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(x.shape[-1])(nn.gelu(nn.LayerNorm()(nn.Dense(5)(x))))


class Ensemble(nn.Module):
    """Three dense layers on one input, one for each head, and blocks over the batch that share their weights."""

    @nn.compact
    def __call__(self, x):
        apart = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        many = nn.vmap(nn.Dense, in_axes=None, out_axes=1, axis_size=3, **apart)(4)(x)
        heads = nn.vmap(nn.Dense, in_axes=1, out_axes=1, **apart)(2)(many)
        alike = nn.vmap(Mlp, variable_axes={"params": None}, split_rngs={"params": False})
        return alike()(heads.mean(1))


class Normalised(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.relu(nn.WeightNorm(nn.Conv(4, (3, 3)))(x))
        x = nn.SpectralNorm(nn.Conv(3, (2, 2)), n_steps=2)(x, update_stats=train)
        return nn.WeightNorm(nn.Dense(2))(nn.SpectralNorm(nn.Dense(5))(x, update_stats=train))


class Masked(nn.Module):
    """Padding and what comes later are hidden; a query that is padding gets Flax's mean of all."""

    @nn.compact
    def __call__(self, ids):
        real = ids > 0
        mask = nn.combine_masks(nn.make_attention_mask(real, real), nn.make_causal_mask(ids))
        x = nn.MultiHeadDotProductAttention(2)(nn.Embed(5, 8)(ids), mask=mask)
        return nn.MultiHeadDotProductAttention(2)(x, mask=nn.make_attention_mask(real, real))


class Lengths(nn.Module):
    """Steps that are padding are computed, and taken out by hand."""

    @nn.compact
    def __call__(self, x, lengths):
        y = nn.RNN(nn.GRUCell(3))(x, seq_lengths=lengths)
        real = jnp.arange(x.shape[1])[None] < lengths[:, None]
        return jnp.where(real[..., None], y, y * 0.0).sum(1)


class Kept(nn.Module):
    """Blocks that are computed again for the gradient, one of them compiled."""

    @nn.compact
    def __call__(self, x):
        return nn.jit(Mlp)()(nn.remat(Mlp)()(x))


class Rotary(nn.Module):
    @nn.compact
    def __call__(self, x):
        angles = jnp.arange(x.shape[1])[:, None] / 100.0 ** (jnp.arange(x.shape[2] // 2) / 3)
        angles = jnp.concatenate([angles, angles], -1)
        a, b = jnp.split(nn.Dense(x.shape[-1])(x), 2, -1)
        shift = self.param("shift", nn.initializers.normal(1.0), (x.shape[-1],))
        return x * jnp.cos(angles) + jnp.concatenate([-b, a], -1) * jnp.sin(angles) - shift


CASES = {
    Ensemble: [floats(3, 4)],
    Normalised: [floats(3, 5, 4, 2)],
    Masked: [IDS],
    Lengths: [floats(3, 5, 4), np.array([5, 2, 3])],
    Kept: [floats(3, 4)],
    Rotary: [floats(3, 5, 6)],
}


@proofs([module.__name__ for module in CASES], level="steps")
def test_equal(name, level):
    module = next(m for m in CASES if m.__name__ == name)
    variables = module().init(jax.random.key(0), *CASES[module])
    assert port.from_flax(module(), variables, *CASES[module]).verify(level).ok


class Block(nnx.Module):
    def __init__(self, rngs):
        self.dense, self.norm = nnx.Linear(4, 4, rngs=rngs), nnx.LayerNorm(4, rngs=rngs)

    def __call__(self, x):
        return x + nnx.gelu(self.dense(self.norm(x)))


class Stacked(nnx.Module):
    """Blocks made by `vmap` and run by `scan`; then LoRA, alone and around a layer."""

    def __init__(self, rngs):
        make = nnx.split_rngs(splits=3)(nnx.vmap(lambda r: Block(r), in_axes=(0,), out_axes=0))
        self.blocks = make(rngs)
        self.adapted = nnx.LoRALinear(4, 6, lora_rank=2, rngs=rngs)
        self.around = nnx.LoRA(6, 2, 3, base_module=nnx.Linear(6, 3, rngs=rngs), rngs=rngs)

    def __call__(self, x):
        run = nnx.scan(lambda x, block: block(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        return self.around(jnp.tanh(self.adapted(run(x, self.blocks))))


class Several(nnx.Module):
    """One block with three sets of weights, by `vmap`."""

    def __init__(self, rngs):
        make = nnx.split_rngs(splits=3)(nnx.vmap(lambda r: Block(r), in_axes=(0,), out_axes=0))
        self.blocks = make(rngs)

    def __call__(self, x):
        return nnx.vmap(lambda block, x: block(x), in_axes=(0, None), out_axes=0)(self.blocks, x).mean(0)


@pytest.mark.slow
@pytest.mark.parametrize("module", [Stacked, Several])
def test_twenty_equal_steps_of_nnx(module):
    p = port.from_flax(module(nnx.Rngs(0)), floats(5, 4))
    assert p.verify("steps").ok
    assert module is Several or "repeat(\n    3" in p.source or "repeat(3" in p.source


class Images(nn.Module):
    @nn.compact
    def __call__(self, x):
        over = nn.vmap(nn.Conv, in_axes=1, out_axes=1, variable_axes={"params": None}, split_rngs={"params": False})
        return over(4, (3, 3))(x)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_over_weights_is_written_out(reverse, x64):
    """Constants, a carry of several parts and stacked outputs are told apart whatever JAX calls them."""

    def run(weights, bias, x):
        def body(carry, w):
            h, count = carry
            return (jnp.tanh(w * h + bias), count + 1), (h, count * w.sum())

        return jax.lax.scan(body, (x, 0), weights, reverse=reverse)

    weights, bias, x = (floats(*shape).astype(np.float64) for shape in ((3, 4), (4,), (2, 4)))
    closed = jax.make_jaxpr(run)(weights, bias, x)
    flat = Flat(closed, 2)
    assert "scan" not in {eqn.name for eqn in flat.eqns}
    env = dict(zip(flat.inputs, (weights, bias, x)))
    for eqn in flat.eqns:
        env.update(zip(eqn.outputs, eqn.run([env[v] if isinstance(v, Var) else v for v in eqn.inputs])))
    outputs = [env[v] if isinstance(v, Var) else v for v in flat.outputs]
    for ours, theirs in zip(outputs, jax.tree.leaves(run(weights, bias, x)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert "scan" in {eqn.name for eqn in Flat(closed).eqns}


def test_what_has_no_equal_says_so():
    x = floats(2, 3, 5, 5, 2)
    variables = Images().init(jax.random.key(0), x)
    with pytest.raises(PortError, match="under vmap with shared weights"):
        port.from_flax(Images(), variables, x)
    dense = nnx.WeightNorm(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    try:
        ported = port.from_flax(dense, floats(3, 4))
    except PortError as e:  # where Flax has them as bare arrays; they are variables in newer versions
        assert "got bare ones: scales" in str(e)
    else:
        assert ported.verify("gradients").ok


def test_the_fast_variance_of_flax_is_not_copied():
    """It takes the mean's square off that of the values: at a mean of 1000 float32 keeps little of the difference."""
    x = 1000 + np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)
    norm = nn.LayerNorm()
    variables = norm.init(jax.random.key(0), x)
    p = port.from_flax(norm, variables, x)
    assert p.verify("gradients", tolerance=1e-8).ok  # in float64, too, it loses six of the sixteen digits
    exact = (x - x.mean(-1, keepdims=True, dtype=np.float64)) / x.std(-1, keepdims=True, dtype=np.float64)
    error = lambda y: float(np.abs(np.asarray(y) - exact).max())
    assert error(norm.apply(variables, x)) > 1e-2 > 1e-3 > error(p.net.apply(p.params, p.state, x)[0])
