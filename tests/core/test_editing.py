"""Editing as values: what is cut, exchanged or mapped runs on the parameters of the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, dropout, fc, frozen, lora, named, relu, repeat, residual, share, softmax, tanh
from compose.core.errors import ConfigError

net = compose_seq(fc(6, relu), fc(5, name="code"), relu, fc(6, tanh), fc(4))
x = jnp.linspace(-1, 1, 12).reshape(3, 4)
params, state = net.init(0, x)


def test_a_slice_runs_on_the_parameters_of_the_whole():
    code, _ = net[:2].apply({k: params[k] for k in ("fc_0", "code")}, state, x)
    rest = {k: params[k] for k in ("fc_2", "fc_3")}
    np.testing.assert_array_equal(net[2:].apply(rest, state, code)[0], net.apply(params, state, x)[0])


def test_a_slice_keeps_the_keys_and_shows_them_where_they_are_not_as_counted():
    assert net[2:].keys == ("relu_1", "fc_2", "fc_3") or net[2:].keys[1:] == ("fc_2", "fc_3")
    assert str(net[3:]) == 'compose_seq(fc(6, tanh, name="fc_2"), fc(4, name="fc_3"))'
    assert net[2:][1:] == net[3:]
    assert net[:] == net


def test_a_slice_keeps_the_draws():
    noisy = compose_seq(dropout(0.5), dropout(0.5))
    cut = noisy[1:]
    ones = jnp.ones((4, 32))
    whole = compose_seq(lambda x: x, dropout(0.5, name="dropout_1"))
    draw = lambda n: n.apply({}, {}, ones, rng=0, train=True)[0]
    np.testing.assert_array_equal(draw(cut), draw(whole))


def test_positions_and_names():
    assert net[0] == fc(6, relu)
    assert net[-1] == fc(4)
    assert net["code"] == fc(5, name="code")
    assert net["fc_2"] == fc(6, tanh)
    assert net["fc_2/activation"] == tanh
    assert len(net) == 5 and [inner.kind for inner in net] == ["fc", "fc", "relu", "fc", "fc"]


def test_paths_go_through_wrappers_and_repeats():
    deep = compose_seq(frozen(compose_seq(fc(4), fc(3), name="b")), repeat(3, residual(fc(3))))
    assert deep["b"] == frozen(compose_seq(fc(4), fc(3), name="b"))
    assert deep["b/fc_1"] == fc(3)
    assert deep["repeat_0/body"] == fc(3)
    assert frozen(net)[:2] == frozen(net[:2])


def test_replace_keeps_the_key():
    assert net.replace("code", fc(9)) == compose_seq(fc(6, relu), fc(9, name="code"), relu, fc(6, tanh), fc(4))
    changed = net.replace("fc_0", dropout(0.5))
    assert [key for key, _ in changed.children()] == ["dropout_0", "code", "relu_0", "fc_2", "fc_3"]


def test_replace_goes_through_wrappers_and_repeats():
    deep = compose_seq(frozen(compose_seq(fc(4), fc(3), name="b")), repeat(3, residual(fc(3))))
    assert deep.replace("b/fc_0", fc(7))["b/fc_0"] == fc(7)
    assert deep.replace("b", fc(7)) == compose_seq(fc(7, name="b"), repeat(3, residual(fc(3))))
    assert deep.replace("repeat_0/body", fc(3, relu))[1] == repeat(3, residual(fc(3, relu)))


def test_replaced_layers_leave_the_parameters_of_the_others_fitting():
    changed = net.replace("fc_3", fc(2))
    fresh, _ = changed.init(1, x)
    mixed = {**params, "fc_3": fresh["fc_3"]}
    assert changed.apply(mixed, state, x)[0].shape == (3, 2)


def test_map_meets_every_layer_once_innermost_first():
    seen = []
    assert net.map(lambda path, inner: (seen.append(path), inner)[1]) == net
    assert seen[:3] == ["fc_0/activation", "fc_0", "code/activation"]
    assert seen[-1] == ""


def test_map_changes_what_it_is_asked_to_and_keeps_the_keys():
    softer = net.map(lambda path, inner: softmax if inner == relu else inner)
    assert softer["fc_0"] == fc(6, softmax)
    assert softer.apply(params, state, x)[0].shape == (3, 4)
    fixed = net.map(lambda path, inner: frozen(inner) if path == "code" else inner)
    assert fixed["code"] == frozen(fc(5, name="code"))
    np.testing.assert_array_equal(fixed.apply(params, state, x)[0], net.apply(params, state, x)[0])


def test_named_renames_under_wrappers():
    assert named("q", fc(3)) == fc(3, name="q")
    assert named("q", frozen(lora(fc(3)))) == frozen(lora(fc(3, name="q")))
    assert frozen(fc(3), name="q") == frozen(fc(3, name="q"))


def test_originals_stay_as_they_are():
    before = str(net)
    net.replace("code", fc(9))
    net.map(lambda path, inner: frozen(inner) if inner.kind == "fc" else inner)
    assert str(net) == before


@pytest.mark.parametrize("path", ["nothing", "code/nothing", "fc_9", ""])
def test_a_path_to_nothing_is_an_error_that_lists_what_there_is(path):
    with pytest.raises(ConfigError, match="expected one of the layers"):
        net[path]
    with pytest.raises(ConfigError, match="expected one of the layers"):
        net.replace(path, fc(3))


FC = {"kernel": True, "bias": True}
NOT = {"kernel": False, "bias": False}


@pytest.mark.parametrize(
    "layer, mask",
    [
        (compose_seq(fc(4), frozen(fc(4))), {"fc_0": FC, "fc_1": NOT}),
        (frozen(compose_seq(fc(4), fc(4))), {"fc_0": NOT, "fc_1": NOT}),
        (residual(repeat(2, compose_seq(frozen(fc(4)), fc(4)))), {"body": {"fc_0": NOT, "fc_1": FC}}),
        (lora(fc(4), rank=2), {**NOT, "lora": {"kernel": {"a": True, "b": True}}}),
        (frozen(lora(fc(4), rank=2)), {**NOT, "lora": {"kernel": {"a": False, "b": False}}}),
        (share(frozen(fc(4)), lambda e: compose_seq(e, fc(4), e)), {"fc_0": NOT, "seq_0": {"fc_0": FC}}),
    ],
    ids=str,
)
def test_what_trains(layer, mask):
    weights, _ = layer.init(0, 4)
    assert layer.trainable(weights) == mask


def test_the_mask_says_what_has_a_gradient():
    layer = compose_seq(fc(4, tanh), frozen(fc(4, tanh)), repeat(2, lora(fc(4, tanh), rank=2)), fc(3))
    weights, _ = layer.init(0, 4)
    weights = jax.tree.map(lambda w: w + 0.1, weights)
    grads = jax.grad(lambda w: (layer.apply(w, {}, x)[0] ** 2).sum())(weights)
    assert jax.tree.map(lambda g: bool(jnp.any(g != 0)), grads) == layer.trainable(weights)
