"""Keras in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

NARROW = ("float32", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16")


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Keras computes in float64 inside: by default, and where it joins dtypes.

    The default policy of layers is kept from the first layer ever made, whatever `floatx` says later. And except on
    TensorFlow, Keras takes float64 with float32 to be float32, so that batch norm alone would compute at half the
    precision of its inputs. Where a layer's own code names a narrower dtype, it is float64 too.
    """
    from keras.src.backend import nn
    from keras.src.backend.common import dtypes

    def forget() -> None:
        for fn in vars(dtypes).values():
            if hasattr(fn, "cache_clear"):
                fn.cache_clear()

    joined, named = dtypes.BIT64_TO_BIT32_DTYPE, dict(dtypes.PYTHON_DTYPES_MAP)
    before, wide, fused = keras.config.floatx(), joined["float64"], nn.dot_product_attention
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    joined["float64"] = "float64"
    dtypes.PYTHON_DTYPES_MAP.update(dict.fromkeys((float, *NARROW), "float64"))
    nn.dot_product_attention = _attention  # that of JAX takes its softmax in float32
    forget()  # what it joined before
    try:
        with _numbers():
            yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)
        joined["float64"] = wide
        dtypes.PYTHON_DTYPES_MAP.clear()
        dtypes.PYTHON_DTYPES_MAP.update(named)
        nn.dot_product_attention = fused
        forget()


def _numbers() -> contextlib.AbstractContextManager:
    if keras.backend.backend() == "jax":
        import jax

        return jax.enable_x64(True)
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from compose.keras.float64_on_tensorflow import exact_numbers

    return exact_numbers()


def _attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, **_):
    """Keras's `ops.dot_product_attention` on `(batch, time, heads, n)`, in the dtype of its inputs."""
    ops = keras.ops
    key, value = (ops.repeat(t, query.shape[2] // t.shape[2], axis=2) for t in (key, value))
    scores = ops.einsum("btnh,bsnh->bnts", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + bias
    if is_causal:
        causal = ops.tril(ops.ones(scores.shape[-2:], dtype="bool"))
        mask = causal if mask is None else ops.logical_and(mask, causal)
    scores = scores if mask is None else ops.where(mask, scores, -1e30)
    return ops.einsum("bnts,bsnh->btnh", ops.softmax(scores), value)
