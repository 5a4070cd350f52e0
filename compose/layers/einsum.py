"""Learned einsum and bilinear layers."""

from __future__ import annotations

import jax.numpy as jnp

from compose.combinators.branch import identity
from compose.core.errors import ConfigError, ShapeError, expect_float, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.initializers import glorot_uniform, zeros

__all__ = ["bilinear", "einsum"]


@layer
class einsum(Layer):
    """`activation(einsum(equation, x, kernel) + bias)`: `einsum("btd,dhk->bthk", (8, 64))`.

    Shapes: given by the equation, with `...` for batch axes; parameters `kernel`, with the axes of the second term,
    and `bias`, with the output axes named in `bias`.
    Elsewhere: Keras `EinsumDense`, whose `output_shape` gives all output sizes and whose `bias_axes` is our `bias`;
    Flax `Einsum`, whose `shape` is that of the whole kernel.

    Args:
        equation: `input,kernel->output`.
        sizes: the sizes of the kernel's letters that the input does not have, in the kernel's order.
        bias: the letters of the bias's axes; empty for no bias.
    """

    equation: str
    sizes: tuple[int, ...] = ()
    activation: Layer = identity
    bias: str = ""
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        left, kernel, out = self.terms
        new = [c for c in dict.fromkeys(kernel) if c not in left]
        if len(new) != len(self.sizes) or min(self.sizes, default=1) < 1:
            raise ConfigError(f"sizes for the letters {', '.join(new)}", str(self.sizes))
        if not set(self.bias) <= set(out) - {"."}:
            raise ConfigError(f"bias axes among {out}", repr(self.bias))

    def params(self, x):
        expect_float(x)
        _, kernel, out = self.terms
        size = self.letter_sizes(x)
        in_axes = {c for c in kernel if c not in out}
        axes = tuple("in" if c in in_axes else "out" for c in kernel)
        yield "kernel", Param(tuple(size[c] for c in kernel), self.kernel_init, axes=axes)
        if self.bias:
            shape = tuple(size[c] for c in self._bias_letters)
            yield "bias", Param(shape, self.bias_init, axes=("out",) * len(shape))

    def forward(self, p, x, ctx):
        y = jnp.einsum(self.equation.replace(" ", ""), x, p["kernel"])
        if self.bias:
            y = y + self.bias_along(p["bias"], y.ndim)
        return ctx.run(self.activation, p, y)

    def bias_along(self, bias, ndim: int):
        """The bias with the axes of an output of so many axes, of length 1 where it has no letter."""
        before, _, after = self.terms[2].partition("...")
        at = [before.index(c) if c in before else after.index(c) - len(after) + ndim for c in self._bias_letters]
        return jnp.expand_dims(bias, [i for i in range(ndim) if i not in at])

    @property
    def terms(self) -> tuple[str, str, str]:
        """The letters of the input, the kernel and the output. Raises `ConfigError` for any other equation."""
        text = self.equation.replace(" ", "")
        inputs, arrow, out = text.partition("->")
        left, comma, kernel = inputs.partition(",")
        letters = left.replace("...", "") + kernel + out.replace("...", "")
        ok = arrow and comma and letters.isalpha() and letters.isascii() and set(out) <= set(left + kernel)
        if not ok or len(set(kernel)) != len(kernel):
            raise ConfigError('an equation "input,kernel->output"', repr(self.equation))
        return left, kernel, out

    def letter_sizes(self, x) -> dict[str, int]:
        """The size of each letter's axis, for an input shaped as `x`."""
        left, kernel, _ = self.terms
        before, dots, after = left.partition("...")
        if x.ndim < len(before + after) or (not dots and x.ndim != len(left)):
            raise ShapeError(f"an input with axes {left}", shape_text(x))
        named = [*zip(before, x.shape), *zip(after[::-1], x.shape[::-1])]
        size = dict(named)
        if any(size[c] != n for c, n in named):
            raise ShapeError(f"equal sizes for equal letters of {left}", shape_text(x))
        return {**size, **dict(zip((c for c in kernel if c not in left), self.sizes))}

    @property
    def _bias_letters(self) -> list[str]:
        return [c for c in self.terms[2] if c in self.bias]


@layer
class bilinear(Layer):
    """`activation(a · kernel · b + bias)`: each output is a learned bilinear form of two inputs.

    Shapes: `(..., n), (..., m) -> (..., size)`; parameters `kernel (n, m, size)`, `bias (size,)`.
    Elsewhere: torch `Bilinear`, whose weight `(size, n, m)` and bias are initialised uniformly in ±1/√n.
    """

    size: int
    activation: Layer = identity
    bias: bool = True
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def params(self, x):
        if not isinstance(x, tuple) or len(x) != 2 or x[0].shape[:-1] != x[1].shape[:-1]:
            raise ShapeError("two inputs (..., n) and (..., m)", shape_text(x))
        expect_float(x[0])
        kernel = (x[0].shape[-1], x[1].shape[-1], self.size)
        yield "kernel", Param(kernel, self.kernel_init, axes=("in", "in", "out"), fan_in=kernel[0])
        if self.bias:
            yield "bias", Param((self.size,), self.bias_init, fan_in=kernel[0])

    def forward(self, p, x, ctx):
        y = jnp.einsum("...n,nmk,...m->...k", x[0], p["kernel"], x[1])
        return ctx.run(self.activation, p, y + p["bias"] if self.bias else y)
