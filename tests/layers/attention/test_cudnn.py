"""Attention by cuDNN: where it is used, seen in the program for CUDA; elsewhere the program is the same as without it.

No GPU is needed: the questions that JAX asks it are answered for it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo as jax_cudnn

from compose import multi_head_attention, scaled_dot_product_attention
from compose.layers.attention.dot_product import allowed, attend

q, k, v = (jnp.asarray(a, jnp.bfloat16) for a in np.random.default_rng(0).normal(size=(3, 2, 16, 4, 8)))
x = jnp.ones((2, 16, 32))


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(jax_cudnn, "check_cudnn_version", lambda: 91100)
    monkeypatch.setattr(jax_cudnn, "check_compute_capability", lambda capability: True)
    monkeypatch.setattr(jax_cudnn, "is_cuda_compute_capability_equal", lambda capability: False)


def lowered(f, *args, platform="cuda") -> str:
    return jax.jit(f).trace(*args).lower(lowering_platforms=(platform,)).as_text()


def layer(net, train=False, precision="bfloat16"):
    params, state = net.init(0, x)
    run = lambda p: net.apply(p, state, x, train=train, rng=0, precision=precision)[0].sum()
    return jax.value_and_grad(run), params


def test_half_precision_is_computed_by_cudnn_forward_and_gradient(gpu):
    for net in (multi_head_attention(4), multi_head_attention(4, causal=True), multi_head_attention(4, kv_heads=2)):
        text = lowered(*layer(net))
        assert "__cudnn$fmhaSoftmax" in text and "__cudnn$fmhaSoftmaxBackward" in text
        assert "cudnn" not in lowered(*layer(net), platform="cpu")
    run = lambda q, k, v: scaled_dot_product_attention(causal=True)(q, k, v)
    assert "__cudnn$fmhaSoftmax" in lowered(run, q, k, v)


@pytest.mark.parametrize(
    "net, options",
    [
        (multi_head_attention(4), {"precision": None}),
        (multi_head_attention(4, window=3), {}),
        (multi_head_attention(4, dropout=0.1), {"train": True}),
        (multi_head_attention(4, head_size=4), {}),
    ],
    ids=["float32", "a window", "dropout", "a head of 4"],
)
def test_what_cudnn_cannot_do_is_written_out(gpu, net, options):
    assert "cudnn" not in lowered(*layer(net, **options))


def test_masks_and_uneven_causal_attention_are_written_out(gpu):
    masked = lambda q, k, v: scaled_dot_product_attention(q, k, v, jnp.array([3, 16]))
    uneven = lambda q, k, v: scaled_dot_product_attention(causal=True)(q[:, :5], k, v)
    for f in (masked, uneven):
        assert "cudnn" not in lowered(f, q, k, v)


def test_without_a_gpu_the_program_is_the_one_written_out():
    for causal in (False, True):
        ours = jax.make_jaxpr(lambda *a, c=causal: scaled_dot_product_attention(causal=c)(*a))(q, k, v)
        plain = jax.make_jaxpr(lambda q, k, v, c=causal: attend(q, k, v, mask=allowed(None, q, k, c, None))[0])(q, k, v)
        assert str(ours) == str(plain)


def test_with_a_gpu_the_cpu_computes_the_same(gpu):
    both = lambda q, k, v: jax.value_and_grad(lambda q: attention(q, k, v))(q)
    attention = lambda q, k, v: scaled_dot_product_attention(q, k, v).astype(jnp.float32).sum()
    here = jax.jit(both)(q, k, v)
    attention = lambda q, k, v: attend(q, k, v)[0].astype(jnp.float32).sum()
    jax.tree.map(np.testing.assert_array_equal, here, jax.jit(lambda *a: both(*a))(q, k, v))
