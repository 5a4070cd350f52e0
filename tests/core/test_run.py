"""init, apply and out: the forms of inputs, the trees that come out, purity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    batch_norm,
    compose_seq,
    conv,
    dropout,
    fc,
    flatten,
    glorot_uniform,
    parallel,
    relu,
    repeat,
    residual,
    spec,
)

net = compose_seq(fc(5, relu), batch_norm(), fc(3, name="head"))


def shapes(tree):
    return jax.tree.map(jnp.shape, tree)


def test_parameters_are_nested_dicts_under_names_or_counted_kinds():
    params, state = net.init(0, 4)
    assert shapes(params) == {
        "fc_0": {"kernel": (4, 5), "bias": (5,)},
        "batch_norm_0": {"scale": (5,), "bias": (5,)},
        "head": {"kernel": (5, 3), "bias": (3,)},
    }
    assert shapes(state) == {"batch_norm_0": {"mean": (5,), "var": (5,)}}


@pytest.mark.parametrize(
    "x",
    [4, (4,), spec(4), jnp.ones((7, 4)), np.ones((2, 4), np.float32), jax.ShapeDtypeStruct((3, 4), "f4")],
    ids=["int", "tuple", "spec", "array", "numpy", "struct"],
)
def test_every_form_of_an_input_gives_the_same_parameters(x):
    params, _ = net.init(0, x)
    expected, _ = net.init(jax.random.key(0), jnp.ones((1, 4)))
    jax.tree.map(np.testing.assert_array_equal, params, expected)


def test_out_has_the_batch_where_the_input_has():
    image = compose_seq(conv(8, 3, stride=2), flatten, fc(3))
    assert image.out((28, 28, 1)) == (3,)
    assert image.out(jnp.ones((6, 28, 28, 1))) == (6, 3)
    assert parallel(fc(2), fc(3)).out(4, 5) == ((2,), (3,))


def test_what_flows_may_be_a_tree():
    swap = compose_seq(lambda d: {"sum": d["a"] + d["b"]}, lambda d: d["sum"])
    x = {"a": jnp.ones((2, 3)), "b": jnp.ones((2, 3))}
    np.testing.assert_array_equal(swap.apply({}, {}, x)[0], 2 * np.ones((2, 3)))


def test_parameters_are_of_the_inputs_float_dtype_and_at_least_float32(x64):
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64):
        made = net.init(0, spec(4, dtype=dtype))
        assert {a.dtype for a in jax.tree.leaves(made)} == {jnp.promote_types(dtype, jnp.float32)}


def test_the_default_dtype_follows_the_x64_flag():
    assert net.init(0, 4)[0]["fc_0"]["kernel"].dtype == jnp.float32
    with jax.enable_x64(True):
        assert net.init(0, 4)[0]["fc_0"]["kernel"].dtype == jnp.float64
    assert net.init(0, 4)[0]["fc_0"]["kernel"].dtype == jnp.float32


def test_init_draws_the_same_numbers_eagerly_and_under_jit():
    deep = compose_seq(fc(5), repeat(3, residual(fc(5, kernel_init="he_normal"))), fc(2, bias_init="normal"))
    eager = deep.init(jax.random.key(3), 4)
    jitted = jax.jit(lambda key: deep.init(key, 4))(jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, eager, jitted)


def test_init_gives_no_two_layers_the_same_numbers():
    params, _ = compose_seq(fc(4), fc(4), repeat(2, fc(4))).init(0, 4)
    kernels = [params["fc_0"]["kernel"], params["fc_1"]["kernel"], *params["repeat_0"]["kernel"]]
    assert len({k.tobytes() for k in map(np.asarray, kernels)}) == 4


def test_the_parameters_of_a_layer_depend_on_its_path_alone():
    before, _ = compose_seq(fc(4, name="a"), fc(4, name="b")).init(0, 4)
    after, _ = compose_seq(fc(4, name="a"), fc(4, name="new"), fc(4, name="b")).init(0, 4)
    np.testing.assert_array_equal(before["b"]["kernel"], after["b"]["kernel"])


def test_initial_values_are_stable_across_versions():
    params, _ = fc(2, kernel_init=glorot_uniform).init(0, 3)
    expected = [[-0.33275926, -0.17278102], [0.03084732, 0.20058435], [-0.2510696, -0.6657552]]
    np.testing.assert_allclose(params["kernel"], expected, rtol=1e-6)


def test_apply_is_pure():
    params, state = net.init(0, 4)
    x = jnp.arange(8.0).reshape(2, 4)
    before = jax.tree.map(np.array, (params, state))
    y, after = net.apply(params, state, x, train=True)
    z, _ = net.apply(params, state, x, train=True)
    jax.tree.map(np.testing.assert_array_equal, (params, state), before)
    np.testing.assert_array_equal(y, z)
    assert not np.array_equal(after["batch_norm_0"]["mean"], state["batch_norm_0"]["mean"])
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_inference_leaves_the_state_as_it_is():
    params, state = net.init(0, 4)
    _, after = net.apply(params, state, jnp.ones((2, 4)))
    jax.tree.map(np.testing.assert_array_equal, state, after)


def test_jit_grad_and_vmap_need_nothing_special():
    params, state = net.init(0, 4)
    x = jnp.arange(8.0).reshape(2, 4)
    y, _ = net.apply(params, state, x)
    np.testing.assert_allclose(jax.jit(net.apply)(params, state, x)[0], y, rtol=1e-6)
    one = jax.vmap(lambda row: net.apply(params, state, row[None])[0][0])(x)
    np.testing.assert_allclose(one, y, rtol=1e-6)
    grads = jax.grad(lambda p: net.apply(p, state, x)[0].sum())(params)
    assert jax.tree.structure(grads) == jax.tree.structure(params)


def test_an_int_is_a_seed():
    layer = dropout(0.5)
    x = jnp.ones((3, 4))
    a, b = (layer.apply({}, {}, x, rng=rng, train=True)[0] for rng in (7, jax.random.key(7)))
    np.testing.assert_array_equal(a, b)


def test_a_layer_without_parameters_is_called_like_a_function():
    x = jnp.array([[-1.0, 2.0]])
    np.testing.assert_array_equal(relu(x), [[0.0, 2.0]])
    np.testing.assert_array_equal(compose_seq(relu, lambda x: -x)(x), [[0.0, -2.0]])
