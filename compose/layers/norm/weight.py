"""Wrappers that normalise the kernels of the layers inside.

Shapes: those of the layer inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.combinators.wrappers import Wrapper
from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.core.plan import Plan, plan
from compose.core.precision import narrow, wide
from compose.layers.initializers import normal, ones

__all__ = ["spectral_norm", "weight_norm"]


@layer
class weight_norm(Wrapper):
    """Every kernel inside becomes `gain · kernel / |kernel|`, with one norm per output.

    Salimans & Kingma, Weight Normalization, 2016. Parameters: those of the layer, and under `weight_norm` a gain
    for each kernel, with the kernel's shape except for 1 along the axes of the norm.
    Elsewhere: Flax `WeightNorm` with these defaults; torch `weight_norm`, whose gains are initialised to the kernel's
    norms, so that the layer initially computes the same as without it.
    """

    inner: Layer
    epsilon: float = 1e-12

    def plan(self, x, scope: tuple = ()) -> Plan:
        inner = plan(self.inner, x, scope)
        gains = of_kernels(self, inner.params, lambda p: Param(_outputs_only(p), ones, p.dtype, p.named_axes))
        return inner.within(self, params={**inner.params, "weight_norm": gains})

    def call(self, params, state, x, ctx: Context):
        own = {k: v for k, v in params.items() if k != "weight_norm"}
        return self.inner.call(self.merge(own, params["weight_norm"]), state, x, ctx)

    def merge(self, params: dict, gains: dict) -> dict:
        """The parameters of the inner layer with normalised kernels."""

        def normalised(kernel, gain):
            axes = tuple(i for i, n in enumerate(gain.shape) if n == 1)
            size = jnp.square(wide(kernel)).sum(axes, keepdims=True)
            return narrow(kernel * (gain * lax.rsqrt(size + self.epsilon)), kernel)

        return {
            k: v if k not in gains else self.merge(v, gains[k]) if isinstance(v, dict) else normalised(v, gains[k])
            for k, v in params.items()
        }


@layer
class spectral_norm(Wrapper):
    """Every kernel inside is divided by its largest singular value, as a matrix `(inputs, outputs)`.

    Miyato et al., Spectral Normalization, 2018. State under `spectral_norm`, for each kernel: `u`, an estimate of
    the singular vector of the outputs, updated by power iteration in each training step, and `sigma`, the estimated
    singular value, initially 1.
    Elsewhere: Flax `SpectralNorm` with `fresh=True`; Keras `SpectralNormalization`, which overwrites the kernel;
    torch `spectral_norm`, which iterates from the vector of the inputs: half a step apart, with the same limit.

    Args:
        iterations: power iterations per training step.
        epsilon: added to the squared norm when vectors are normalised.
        fresh: update the estimate in inference too, without keeping it.
    """

    inner: Layer
    iterations: int = 1
    epsilon: float = 1e-12
    fresh: bool = False

    def validate(self):
        if self.iterations < 1:
            raise ConfigError("at least one iteration", str(self.iterations))

    def plan(self, x, scope: tuple = ()) -> Plan:
        inner = plan(self.inner, x, scope)

        def start(p: Param) -> dict:
            layers = tuple(n for n, axis in zip(p.shape, p.named_axes) if axis == "layer")
            outputs = int(np.prod([n for n, axis in zip(p.shape, p.named_axes) if axis == "out"]))
            dtype = jnp.promote_types(p.dtype, jnp.float32)
            return {"u": Param((*layers, outputs), normal(stddev=1.0), dtype), "sigma": Param(layers, ones, dtype)}

        estimates = of_kernels(self, inner.params, start)
        return inner.within(self, state={**inner.state, "spectral_norm": estimates})

    def call(self, params, state, x, ctx: Context):
        own = {k: v for k, v in state.items() if k != "spectral_norm"}
        scaled, estimates = self.divide(params, state["spectral_norm"], ctx.train)
        y, after = self.inner.call(scaled, own, x, ctx)
        return y, {**after, "spectral_norm": estimates}

    def divide(self, params: dict, estimates: dict, train: bool) -> tuple[dict, dict]:
        """The parameters with normalised kernels, and the new estimates."""
        normalised, after = dict(params), {}
        for key, old in estimates.items():
            if "sigma" in old:
                new = self.improve(params[key], old["u"]) if train or self.fresh else old
                sigma = new["sigma"].reshape(*old["sigma"].shape, *[1] * (params[key].ndim - old["sigma"].ndim))
                normalised[key] = (params[key] / sigma).astype(params[key].dtype)
                after[key] = lax.stop_gradient(new) if train else old
            else:
                normalised[key], after[key] = self.divide(params[key], old, train)
        return normalised, after

    def improve(self, kernel, u) -> dict:
        matrix = kernel.astype(u.dtype).reshape(*u.shape[:-1], -1, u.shape[-1])
        unit = lambda v: v * lax.rsqrt(jnp.square(v).sum(-1, keepdims=True) + self.epsilon)
        fixed, v = lax.stop_gradient(matrix), None
        for _ in range(self.iterations):
            v = unit(jnp.einsum("...io,...o->...i", fixed, u))
            u = unit(jnp.einsum("...io,...i->...o", fixed, v))
        return {"u": u, "sigma": jnp.einsum("...i,...io,...o->...", v, matrix, u)}


def of_kernels(wrapper: Layer, params: dict, make: Callable[[Param], Any]) -> dict:
    """`make(kernel)` for each kernel in a tree, under the same keys. Raises `ConfigError` if there is none."""

    def walk(tree: dict) -> dict:
        kernels = {}
        for key, p in tree.items():
            if isinstance(p, dict):
                inner = walk(p)
                kernels.update({key: inner} if inner else {})
            elif key.endswith("kernel") and len(p.shape) > 1:
                kernels[key] = make(p)
        return kernels

    result = walk(params)
    if not result:
        raise ConfigError("a layer with kernels inside").locate(wrapper)
    return result


def _outputs_only(p: Param) -> tuple[int, ...]:
    return tuple(n if axis in ("out", "layer") else 1 for n, axis in zip(p.shape, p.named_axes))
