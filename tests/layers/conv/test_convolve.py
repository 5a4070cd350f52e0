"""The forms in which convolutions are computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import conv
from compose.layers.conv.convolve import depthwise, general
from compose.layers.window import window


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": ((0, 1), 2)}, {"dilation": (1, 2)}])
@pytest.mark.parametrize("channels_first", [False, True])
def test_the_form_for_a_cpu_is_the_convolution(options, channels_first, x64, rng):
    x = jnp.asarray(rng.normal(size=(2, 4, 9, 4) if channels_first else (2, 9, 8, 4)))
    kernel = jnp.asarray(rng.normal(size=(3, 2, 1, 8)))
    over = window(x, (3, 2), channels_first=channels_first, **options)
    shifted, whole = depthwise(x, kernel, over, channels_first), general(x, kernel, over, 4, channels_first)
    np.testing.assert_allclose(shifted, whole, atol=1e-12)


def test_a_pointwise_convolution_is_one_product():
    layer = conv(8, 1, bias=False)
    params, _ = layer.init(0, (4, 4, 3))
    program = jax.make_jaxpr(lambda x: layer.apply(params, {}, x)[0])(jnp.ones((2, 4, 4, 3)))
    reshape, product = program.eqns
    assert reshape.primitive.name == "reshape"
    assert [e.primitive.name for e in product.params["call_jaxpr"].eqns] == ["dot_general"]
