"""cuDNN's fused attention on CUDA, where JAX offers it: in half precision, on a machine that has cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from compose.core.precision import HALF


def by_cudnn(written_out: Callable, q, k, v, causal: bool, scale: float | None) -> Any:
    """`written_out(q, k, v)`, which on CUDA is computed by cuDNN if it can.

    `q (batch, queries, heads, n)`, `k` and `v (batch, keys, groups, n)`, unmasked or causal. cuDNN does not keep the
    weights in memory; like JAX's `dot_product_attention` with it, this has no forward-mode derivative.
    """

    def fused(q, k, v):
        return jax.nn.dot_product_attention(q, k, v, is_causal=causal, scale=scale, implementation="cudnn")

    if not _offered(fused, q, k, v, causal):
        return written_out(q, k, v)
    return lax.platform_dependent(q, k, v, cuda=fused, default=written_out)


def _offered(fused: Callable, q, k, v, causal: bool) -> bool:
    """Whether JAX has the function and its gradient for such arrays; it asks cuDNN and the GPU of this machine."""
    if q.dtype not in HALF or not q.dtype == k.dtype == v.dtype or k.shape != v.shape:
        return False
    if causal and q.shape[1] != k.shape[1]:
        return False
    gradient = jax.grad(lambda *qkv: fused(*qkv).astype(jnp.float32).sum(), argnums=(0, 1, 2))
    try:
        jax.eval_shape(gradient, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (q, k, v)))
    except (RuntimeError, NotImplementedError, ValueError):
        return False
    return True
