"""Fully connected layers."""

from __future__ import annotations

from compose.combinators.branch import identity
from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.initializers import glorot_uniform, zeros
from compose.layers.product import product

__all__ = ["fc"]


@layer
class fc(Layer):
    """`activation(x @ kernel + bias)` over the last axis.

    Shapes: `(..., n) -> (..., size)`; parameters `kernel (n, size)`, `bias (size,)`.
    Elsewhere: Keras `Dense` with the same defaults; torch `Linear`, whose kernel and bias are initialised
    uniformly in ±1/√n (`kernel_init=torch_uniform, bias_init=torch_uniform`); Flax `Dense`, whose kernel is
    initialised with `lecun_normal`.

    >>> from compose import fc, relu
    >>> fc(250, relu).out(784)
    (250,)
    """

    size: int
    activation: Layer = identity
    bias: bool = True
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        if self.size < 1:
            raise ConfigError("a size of at least 1", str(self.size))

    def params(self, x):
        expect_rank(x, range(1, 99), "(..., features)")
        expect_float(x)
        yield "kernel", Param((x.shape[-1], self.size), self.kernel_init)
        if self.bias:
            yield "bias", Param((self.size,), self.bias_init, fan_in=x.shape[-1])

    def forward(self, p, x, ctx):
        y = product(x, p["kernel"])
        return ctx.run(self.activation, p, y + p["bias"] if self.bias else y)
