"""Weight norm and spectral norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from compose import (
    cast,
    conv,
    fc,
    spectral_norm,
    weight_norm,
)


def perturbed(layer, x):
    params, state = layer.init(0, x)
    return jax.tree.map(lambda a: a + 0.1 + 0.1 * jnp.arange(a.size, dtype=a.dtype).reshape(a.shape), (params, state))


def test_weight_norm_is_flax(x64, rng):
    x = jnp.asarray(rng.normal(size=(3, 6)))
    params, _ = perturbed(weight_norm(fc(4)), x)
    gain = params["weight_norm"]["kernel"]
    assert gain.shape == (1, 4)
    theirs = linen.WeightNorm(linen.Dense(4, param_dtype=float), variable_filter={"kernel"})
    inner = {k: params[k] for k in ("kernel", "bias")}
    want = theirs.apply({"params": {"layer_instance": inner, "layer_instance/kernel/scale": gain[0]}}, x)
    np.testing.assert_allclose(weight_norm(fc(4)).apply(params, {}, x)[0], want, atol=1e-12)


@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm_is_flax(iterations, x64, rng):
    x = jnp.asarray(rng.normal(size=(2, 5, 5, 3)))
    layer = spectral_norm(conv(4, 3), iterations)
    params, state = perturbed(layer, x)
    ours = state["spectral_norm"]["kernel"]
    theirs = linen.SpectralNorm(linen.Conv(4, (3, 3), param_dtype=float), n_steps=iterations)
    at = "layer_instance/kernel/"
    stats = {at + "u": ours["u"][None], at + "sigma": ours["sigma"]}
    variables = {"params": {"layer_instance": params}, "batch_stats": stats}
    want, after = theirs.apply(variables, x, update_stats=True, mutable="batch_stats")
    y, new = layer.apply(params, state, x, train=True)
    np.testing.assert_allclose(y, want, atol=1e-12)
    np.testing.assert_allclose(new["spectral_norm"]["kernel"]["u"], after["batch_stats"][at + "u"][0], atol=1e-12)
    np.testing.assert_allclose(layer.apply(params, new, x)[0], want, atol=1e-12)


def test_spectral_norm_finds_the_largest_singular_value(x64, rng):
    x = rng.normal(size=(2, 6))
    layer = spectral_norm(fc(4), iterations=60)
    params, state = layer.init(0, x)
    assert layer.apply(params, state, x)[0] == pytest.approx(fc(4).apply(params, {}, x)[0])  # sigma is 1 as yet
    _, state = layer.apply(params, state, x, train=True)
    largest = np.linalg.svd(params["kernel"])[1][0]
    assert state["spectral_norm"]["kernel"]["sigma"] == pytest.approx(largest)


def test_wrappers_over_kernels_print_and_take_names():
    net = spectral_norm(weight_norm(fc(4, name="head")), iterations=2)
    assert str(net) == 'spectral_norm(weight_norm(fc(4, name="head")), iterations=2)'
    assert net.key_name == "head"
    assert weight_norm(cast(fc(4), jnp.bfloat16)).out((5,)) == (4,)
