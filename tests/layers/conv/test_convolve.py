"""The forms in which convolutions are computed."""

import jax
import jax.numpy as jnp

from compose import conv


def test_a_pointwise_convolution_is_one_product():
    layer = conv(8, 1, bias=False)
    params, _ = layer.init(0, (4, 4, 3))
    program = jax.make_jaxpr(lambda x: layer.apply(params, {}, x)[0])(jnp.ones((2, 4, 4, 3)))
    reshape, product = program.eqns
    assert reshape.primitive.name == "reshape"
    assert [e.primitive.name for e in product.params["call_jaxpr"].eqns] == ["dot_general"]
