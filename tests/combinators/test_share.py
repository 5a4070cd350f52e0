"""share: one set of weights in several places, the gradient is the sum over them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    batch_norm,
    compose_seq,
    dropout,
    fc,
    frozen,
    graph,
    layer,
    lora,
    parallel,
    parse,
    repeat,
    scale,
    share,
    tanh,
)
from compose.core.errors import ConfigError, ShapeError
from compose.core.layer import Layer
from compose.core.param import Param
from compose.layers.initializers import normal


@layer
class table(Layer):
    """A lookup whose transpose is another method."""

    rows: int
    size: int

    def params(self, x):
        yield "rows", Param((self.rows, self.size), normal)

    def forward(self, p, x, ctx):
        return p["rows"][x]

    def attend(self, p, x, ctx):
        return x @ p["rows"].T


def test_the_gradient_is_the_sum_over_the_uses(x64, rng):
    net = share(fc(4, tanh), lambda e: compose_seq(e, scale(by=2.0), e))
    written = compose_seq(fc(4, tanh), scale(by=2.0), fc(4, tanh))
    x = jnp.asarray(rng.normal(size=(3, 4)))
    params, _ = net.init(0, x)
    twice = {"fc_0": params["fc_0"], "fc_1": params["fc_0"]}
    np.testing.assert_array_equal(net.apply(params, {}, x)[0], written.apply(twice, {}, x)[0])
    cotangent = jnp.asarray(rng.normal(size=(3, 4)))
    grad = jax.grad(lambda p: (net.apply(p, {}, x)[0] * cotangent).sum())(params)["fc_0"]
    parts = jax.grad(lambda p: (written.apply(p, {}, x)[0] * cotangent).sum())(twice)
    jax.tree.map(lambda g, a, b: np.testing.assert_allclose(g, a + b, rtol=1e-12), grad, parts["fc_0"], parts["fc_1"])


def test_another_method_on_the_same_parameters():
    net = share(table(7, 3), lambda e: compose_seq(e, fc(3), e.attend))
    ids = jnp.array([[1, 2], [0, 6]])
    params, _ = net.init(0, ids)
    assert net.out(ids) == (2, 2, 7)
    p = params["table_0"]["rows"]
    f = params["seq_0"]["fc_0"]
    expected = (p[ids] @ f["kernel"] + f["bias"]) @ p.T
    np.testing.assert_allclose(net.apply(params, {}, ids)[0], expected, rtol=1e-5)
    assert parse(str(net)) == net


def test_shares_nest_and_see_each_other():
    net = share(fc(4), lambda e: share(compose_seq(e, fc(4, tanh)), lambda f: compose_seq(e, f, f)))
    x = jnp.ones((2, 4))
    params, _ = net.init(0, x)
    assert list(params) == ["fc_0", "share_0"]
    e, f = params["fc_0"], params["share_0"]["seq_0"]["fc_0"]
    dense = lambda p, x: x @ p["kernel"] + p["bias"]
    inner = lambda x: jnp.tanh(dense(f, dense(e, x)))
    np.testing.assert_allclose(net.apply(params, {}, x)[0], inner(inner(dense(e, x))), rtol=1e-5)
    assert parse(str(net)) == net


def test_sharing_is_lexical_not_by_equality():
    net = share(fc(4), lambda e: compose_seq(e, fc(4), e))
    params, _ = net.init(0, 4)
    assert not np.array_equal(params["fc_0"]["kernel"], params["seq_0"]["fc_0"]["kernel"])


def test_state_passes_from_use_to_use(rng):
    net = share(batch_norm(momentum=0.5), lambda e: compose_seq(e, scale(by=3.0), e))
    x = jnp.asarray(rng.normal(size=(9, 3)), jnp.float32)
    params, state = net.init(0, x)
    _, after = net.apply(params, state, x, train=True)
    one = batch_norm(momentum=0.5)
    y, s = one.apply(params["batch_norm_0"], state["batch_norm_0"], x, train=True)
    _, s = one.apply(params["batch_norm_0"], s, 3 * y, train=True)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), after["batch_norm_0"], s)


def test_a_shared_batch_norm_in_a_loop_runs_in_inference_and_refuses_to_train():
    net = share(batch_norm(), lambda e: repeat(2, compose_seq(fc(3), e)))
    params, state = net.init(0, 3)
    assert net.apply(params, state, jnp.ones((4, 3)))[0].shape == (4, 3)
    with pytest.raises(ConfigError, match="repeat_0/shared_0: expected a shared layer without trained state"):
        net.apply(params, state, jnp.ones((4, 3)), train=True)
    inside = repeat(2, share(batch_norm(), lambda e: compose_seq(e, fc(3), e)))
    params, state = inside.init(0, 3)
    assert inside.apply(params, state, jnp.ones((4, 3)), train=True)[1]["batch_norm_0"]["mean"].shape == (2, 3)


def test_every_use_draws_for_itself():
    net = share(dropout(0.5), lambda e: parallel(e, e))
    ones = jnp.ones((4, 64))
    a, b = net.apply({}, {}, ones, ones, rng=0, train=True)[0]
    assert not np.array_equal(a, b)


def test_graphs_and_wrappers_hold_what_is_shared():
    net = share(fc(4), lambda e: graph(lambda x, y: e(x) * e(y) + frozen(e)(x)))
    params, _ = net.init(0, 4, 4)
    assert list(params) == ["fc_0"]
    x, y = jnp.ones((2, 4)), 2 * jnp.ones((2, 4))
    f = lambda v: v @ params["fc_0"]["kernel"] + params["fc_0"]["bias"]
    np.testing.assert_allclose(net.apply(params, {}, x, y)[0], f(x) * f(y) + f(x), rtol=1e-6)


def test_what_is_shared_may_be_wrapped():
    net = share(lora(fc(4), rank=2), lambda e: compose_seq(e, e))
    params, _ = net.init(0, 4)
    assert sorted(params["fc_0"]) == ["bias", "kernel", "lora"]
    grads = jax.grad(lambda p: net.apply(p, {}, jnp.ones((2, 4)))[0].sum())(params)
    assert not np.any(grads["fc_0"]["kernel"]) and np.any(grads["fc_0"]["lora"]["kernel"]["b"])


def escaped():
    kept = []
    share(fc(3), lambda e: (kept.append(e), e)[1])
    return compose_seq(kept[0], fc(2))


@pytest.mark.parametrize(
    "build, text",
    [
        (lambda: share(fc(3), lambda e: fc(3)), "share: expected a body that uses the shared layer"),
        (
            lambda: share(fc(3), lambda e: compose_seq(e, fc(4), e)),
            "seq_0/shared_1: expected an input for which the shared layer has the same parameters as for its first use",
        ),
        (escaped, "shared_0: expected a use inside its own share"),
        (lambda: share(fc(3), lambda e: compose_seq(e, e.nonsense)), "seq_0/nonsense_0: expected a method of fc(3)"),
        (lambda: share(table(5, 3), lambda e: e.attend), "attend_0: expected a use of table(5, 3) before .attend"),
    ],
)
def test_misuse(build, text):
    with pytest.raises((ConfigError, ShapeError)) as caught:
        build().init(0, 3)
    assert text in str(caught.value)


def test_two_parts_under_one_name():
    with pytest.raises(ConfigError, match="2 layers called 'a'"):
        share(fc(3, name="a"), lambda e: compose_seq(e, name="a"))
