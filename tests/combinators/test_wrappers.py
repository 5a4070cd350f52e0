"""frozen, lora, cast, when_training, remat and names: the same parameters, run in another way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    add_constant,
    batch_norm,
    cast,
    compose_seq,
    conv,
    dropout,
    fc,
    frozen,
    lora,
    named,
    relu,
    remat,
    repeat,
    scale,
    spec,
    tanh,
    when_training,
)
from compose.core.errors import ConfigError, ShapeError

x = jnp.linspace(-1, 1, 12).reshape(3, 4)


def same_tree(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("wrap", [frozen, remat, lambda f: cast(f, "float32")], ids=["frozen", "remat", "cast"])
def test_a_wrapper_adds_no_key_and_changes_no_value(wrap):
    inner = compose_seq(fc(4, tanh), batch_norm(), fc(3))
    same_tree(wrap(inner).init(0, x), inner.init(0, x))
    weights = inner.init(0, x)
    same_tree(wrap(inner).apply(*weights, x), inner.apply(*weights, x))
    assert list(compose_seq(fc(2), wrap(fc(4, name="a"))).init(0, x)[0]) == ["fc_0", "a"]


def test_frozen_has_no_gradient_and_runs_as_in_inference():
    net = frozen(compose_seq(fc(4), dropout(0.5), batch_norm()))
    params, state = net.init(0, x)
    y, after = net.apply(params, state, x, train=True)
    same_tree((y, after), net.apply(params, state, x))
    same_tree(after, state)
    grads = jax.grad(lambda p: net.apply(p, state, x, train=True)[0].sum())(params)
    assert not any(np.any(g) for g in jax.tree.leaves(grads))


def test_the_gradient_goes_through_what_is_frozen():
    net = frozen(fc(2))
    params, _ = net.init(0, x)
    grad = jax.grad(lambda x: net.apply(params, {}, x)[0].sum())(x)
    np.testing.assert_allclose(grad, jnp.ones((3, 2)) @ params["kernel"].T, rtol=1e-6)


@pytest.mark.parametrize(
    "inner, shape",
    [(fc(5), (4,)), (compose_seq(fc(5, relu), fc(2)), (4,)), (conv(3, 3), (8, 8, 2)), (repeat(3, fc(4)), (4,))],
    ids=str,
)
def test_lora_starts_as_the_layer_was(inner, shape):
    net = lora(inner, rank=2)
    params, _ = net.init(0, shape)
    base, _ = inner.init(0, shape)
    same_tree({k: v for k, v in params.items() if k != "lora"}, base)
    data = jax.random.normal(jax.random.key(1), (2, *shape))
    np.testing.assert_allclose(net.apply(params, {}, data)[0], inner.apply(base, {}, data)[0], rtol=1e-6)


@pytest.mark.parametrize("inner, shape", [(fc(5), (4,)), (conv(3, 3), (8, 8, 2)), (repeat(3, fc(4)), (4,))], ids=str)
def test_only_a_and_b_train_and_merging_gives_the_plain_layer(inner, shape):
    net = lora(inner, rank=2, alpha=8)
    params, _ = net.init(0, shape)
    params["lora"] = jax.tree.map(lambda w: w + 0.1, params["lora"])
    data = jax.random.normal(jax.random.key(1), (2, *shape))
    grads = jax.grad(lambda p: (net.apply(p, {}, data)[0] ** 2).sum())(params)
    assert not any(np.any(g) for k, g in grads.items() if k != "lora")
    assert all(np.any(g) for g in jax.tree.leaves(grads["lora"]))
    base = {k: v for k, v in params.items() if k != "lora"}
    merged = net.merge(base, params["lora"])
    expected = inner.apply(merged, {}, data)[0]
    np.testing.assert_allclose(net.apply(params, {}, data)[0], expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(expected, inner.apply(base, {}, data)[0])


def test_lora_of_a_dense_layer_by_hand():
    net = lora(fc(5), rank=2, alpha=6)
    params, _ = net.init(0, x)
    params["lora"]["kernel"]["b"] = jnp.arange(10.0).reshape(2, 5)
    pair = params["lora"]["kernel"]
    expected = x @ (params["kernel"] + 3 * pair["a"] @ pair["b"]) + params["bias"]
    np.testing.assert_allclose(net.apply(params, {}, x)[0], expected, rtol=1e-5)


def test_lora_needs_a_kernel():
    with pytest.raises(ConfigError, match="expected a layer with kernels inside"):
        lora(compose_seq(relu, batch_norm())).init(0, x)


def test_cast_computes_in_the_narrow_dtype_on_wide_parameters():
    net = cast(compose_seq(fc(4, tanh), batch_norm()), "bfloat16")
    params, state = net.init(0, x)
    assert {a.dtype for a in jax.tree.leaves((params, state))} == {jnp.dtype("float32")}
    y, after = net.apply(params, state, x, train=True)
    assert y.dtype == jnp.bfloat16
    assert {a.dtype for a in jax.tree.leaves(after)} == {jnp.dtype("float32")}
    grads = jax.grad(lambda p: net.apply(p, state, x)[0].sum().astype(jnp.float32))(params)
    assert {g.dtype for g in jax.tree.leaves(grads)} == {jnp.dtype("float32")}
    dots = str(jax.make_jaxpr(lambda p, x: net.apply(p, state, x)[0])(params, x))
    assert "bf16[3,4] = dot_general" in dots


def test_cast_leaves_integers_alone_and_takes_dtypes_in_every_form():
    assert cast(lambda n: n + 1, "bfloat16").apply({}, {}, jnp.arange(3))[0].dtype == jnp.int32
    assert cast(fc(3), "bfloat16") == cast(fc(3), jnp.bfloat16) == cast(fc(3), jnp.dtype("bfloat16"))
    with pytest.raises(ConfigError, match="a dtype, such as bfloat16"):
        cast(fc(3), "narrow")


def test_parameters_follow_the_input_around_a_cast(x64):
    params, _ = cast(fc(3), "float32").init(0, spec(4, dtype="float64"))
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("float64")}


def test_when_training_is_the_identity_in_inference():
    net = when_training(scale(by=2.0))
    np.testing.assert_array_equal(net.apply({}, {}, x)[0], x)
    np.testing.assert_array_equal(net.apply({}, {}, x, train=True)[0], 2 * x)
    with pytest.raises(ShapeError, match="expected an output with the shape of the input"):
        when_training(fc(3)).init(0, x)


def test_remat_changes_no_gradient_and_computes_again():
    plain, again = compose_seq(fc(4, tanh), fc(4, tanh)), remat(compose_seq(fc(4, tanh), fc(4, tanh)))
    params, _ = plain.init(0, x)
    loss = lambda net: lambda p: net.apply(p, {}, x)[0].sum()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        jax.grad(loss(plain))(params),
        jax.grad(loss(again))(params),
    )
    count = lambda net: str(jax.make_jaxpr(jax.grad(loss(net)))(params)).count("tanh")
    assert count(again) > count(plain)


def test_wrappers_nest_in_any_order():
    for net in (frozen(cast(lora(fc(3)), "bfloat16")), lora(frozen(remat(fc(3)))), remat(when_training(fc(4)))):
        params, state = net.init(0, x)
        assert net.apply(params, state, x, train=True)[0].shape[0] == 3
        assert named("a", net).key_name == "a"
        assert net.kind == "fc"


def test_state_of_a_remat_moves():
    net = remat(compose_seq(add_constant(value=2.0), batch_norm(momentum=0.5)))
    params, state = net.init(0, x)
    _, after = net.apply(params, state, x, train=True)
    np.testing.assert_allclose(after["batch_norm_0"]["mean"], 0.5 * (x + 2).mean(0), rtol=1e-6)
