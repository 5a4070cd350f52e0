"""Products of an input and a kernel whose derivatives have a form of their own on CPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero

Product = Callable[[Any, Any], Any]
Derivative = Callable[[Any, Any, int], Any]


def with_cpu_derivative(product: Product, derivative: Derivative, on_cpu: Product | None = None) -> Product:
    """`product(x, kernel)`, linear in both, whose derivatives on CPUs are those of `derivative`.

    All of JAX's transformations go through it: forward and reverse mode of any order, `vmap`, `jit`, `remat`.

    Args:
        product: the product, and its derivative on GPUs and TPUs.
        derivative: `derivative(x, kernel, argument)` has the value of `product(x, kernel)`. Reverse mode runs its
            transpose in that argument, 0 for `x` or 1 for `kernel`.
        on_cpu: the form of the product itself on CPUs; None if it is the same.
    """
    function = jax.custom_jvp(product if on_cpu is None else lambda x, kernel: _by_platform(product, on_cpu, x, kernel))

    def jvp(primals, tangents):
        x, kernel = primals
        y = function(x, kernel)
        parts = [
            _by_platform(product, lambda x, kernel, i=i: derivative(x, kernel, i), *operands)
            for i, operands in enumerate([(tangents[0], kernel), (x, tangents[1])])
            if not isinstance(tangents[i], SymbolicZero)
        ]
        return y, sum(parts[1:], parts[0]) if parts else SymbolicZero(jax.typeof(y))

    function.defjvp(jvp, symbolic_zeros=True)
    return function


def _by_platform(product: Product, on_cpu: Product, x, kernel):
    """One form for each platform. Its gradient keeps the two operands, and no intermediate of either form."""
    choose = lambda x, kernel: lax.platform_dependent(x, kernel, cpu=on_cpu, default=product)
    return jax.checkpoint(choose, prevent_cse=False)(x, kernel)
