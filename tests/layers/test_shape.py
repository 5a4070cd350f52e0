"""Shapes that fit and shapes that do not: reshaping for any sizes, and the errors of joins, matrices and mixtures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compose as c
from compose.core.errors import ConfigError, DtypeError, ShapeError

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(SIZES, st.data())
@settings(max_examples=40, deadline=None)
def test_reshape_with_a_free_size_is_numpys(sizes, data):
    x = np.arange(np.prod(sizes) * 2).reshape(2, *sizes)
    target = list(data.draw(st.permutations(sizes)))
    target[data.draw(st.integers(0, len(target) - 1))] = -1
    assert np.array_equal(c.reshape(*target)(x), x.reshape(2, *target))
    assert np.array_equal(c.reshape(-1, *sizes, batch=False)(x), x)


@given(SIZES, st.data())
@settings(max_examples=40, deadline=None)
def test_permute_flatten_and_unflatten_are_numpys(sizes, data):
    x = np.arange(np.prod(sizes) * 3).reshape(3, *sizes)
    order = data.draw(st.permutations(range(x.ndim)))
    assert np.array_equal(c.permute(*order)(x), x.transpose(order))
    start = data.draw(st.integers(0, x.ndim - 1))
    end = data.draw(st.integers(start, x.ndim - 1))
    flat = c.flatten(start=start, end=end - x.ndim)(x)
    assert flat.shape == (*x.shape[:start], np.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    assert np.array_equal(c.unflatten(axis=start, shape=x.shape[start : end + 1])(flat), x)


WRONG_INPUTS = [
    (c.ensure_shape(4, None), [(3, 4)]),
    (c.ensure_shape(None, 4), [(3, 4, 4)]),
    (c.reshape(3, 5), [(4, 4)]),
    (c.reshape(3, -1), [(4, 4)]),
    (c.permute(0, 2, 1), [(4,)]),
    (c.broadcast_to(3, 5), [(2, 5)]),
    (c.broadcast_to(3, 5), [(5,)]),
    (c.unflatten(axis=1, shape=(3, -1)), [(8,)]),
    (c.unflatten(axis=1, shape=(3, 2)), [(8,)]),
    (c.ops.squeeze(axis=1), [(8,)]),
    (c.split(parts=3), [(8,)]),
    (c.split(parts=(3, 4)), [(8,)]),
    (c.at(":, 9, 0"), [(8,)]),
    (c.at(":, 0, 3"), [(8, 3)]),
    (c.at("..., -4"), [(8, 3)]),
    (c.at(":, None, [0, 3]"), [(3,)]),
    (c.concat(axis=1), [(2, 8), (3, 7)]),
    (c.stack_inputs, [(8,), (7,)]),
    (c.dot, [(8,), (7,)]),
    (c.dot(axes=0), [(8,), (8,)]),
    (c.fc(3), [(8,), (8,)]),
    (c.einsum("btd,dk->btk", (4,)), [(8,)]),
    (c.einsum("bdd,dk->bk", (4,)), [(3, 4)]),
    (c.bilinear(4), [(8,)]),
    (c.bilinear(4), [(2, 8), (3, 8)]),
    (c.learned_scale((3,)), [(8,)]),
    (c.learned_bias((2, 2, 8)), [(8,)]),
    (c.learned_scale(), [(8,), (8,)]),
    (c.class_token(), [(8,)]),
    (c.prelu((4,)), [(8,)]),
    (c.squeeze_excite(), [(8,)]),
    (c.mixture(2, c.fc(3)), [(8,), (8,)]),
    (c.mixture(2, c.flatten), [(4, 8)]),
]


@pytest.mark.parametrize("net,shapes", WRONG_INPUTS, ids=lambda v: str(v))
def test_an_input_that_does_not_fit_is_named(net, shapes):
    with pytest.raises(ShapeError) as e:
        c.compose_seq(c.identity, net).out(*shapes)
    text = str(e.value)
    assert net.kind in text.splitlines()[0] and "got" in text and "layer" in text and "built at" in text


@pytest.mark.parametrize("net", [c.fc(3), c.learned_scale(), c.prelu(), c.einsum("bd,dk->bk", (3,)), c.std], ids=str)
def test_integers_are_refused(net):
    with pytest.raises(DtypeError, match="floating-point input"):
        net.out(c.spec(8, dtype=int))


@pytest.mark.parametrize(
    "build",
    [
        lambda: c.reshape(-1, -1),
        lambda: c.reshape(-2),
        lambda: c.permute(0, 2),
        lambda: c.permute(0, 1, 1),
        lambda: c.at("x"),
        lambda: c.at(":, [1, 0], [0, 1]"),
        lambda: c.at("__import__('os')"),
        lambda: c.fc(0),
        lambda: c.einsum("bd,dk"),
        lambda: c.einsum("bd,dk->bz", (3,)),
        lambda: c.einsum("bd,dk->bk"),
        lambda: c.einsum("bd,dk->bk", (0,)),
        lambda: c.einsum("bd,dk->bk", (3,), bias="d"),
        lambda: c.squeeze_excite(0),
        lambda: c.mixture(0, c.relu),
        lambda: c.mixture(4, c.relu, top=5),
        lambda: c.rrelu(0.5, 0.1),
        lambda: c.softmax(axes=1),
        lambda: c.ops.mean(1),
    ],
)
def test_wrong_arguments_are_refused_when_built(build):
    with pytest.raises(ConfigError, match=r"expected|takes"):
        build()


def test_identity_passes_several_inputs():
    assert c.compose_seq(c.identity, c.add).out((8,), (8,)) == (8,)


def test_experts_draw_each_for_itself(key):
    net = c.mixture(3, c.dropout(0.5))
    params, state = net.init(0, 64)
    same = jax.tree.map(jnp.zeros_like, params)
    y = net.apply(same, state, jnp.ones((1, 64)), rng=key, train=True)[0]
    assert len(np.unique(np.asarray(y).round(4))) > 2  # one mask for all would leave 0 and 2


def equations(fn, *args) -> int:
    return len(jax.make_jaxpr(fn)(*args).eqns)


@pytest.mark.parametrize(
    "net,shape,by_hand",
    [
        (c.fc(4, c.relu), (3, 5), lambda p, x: jax.nn.relu(x @ p["kernel"] + p["bias"])),
        (c.einsum("btd,dhk->bthk", (2, 3)), (2, 3, 4), lambda p, x: jnp.einsum("btd,dhk->bthk", x, p["kernel"])),
        (c.learned_scale(), (2, 3), lambda p, x: x * p["scale"]),
        (c.reshape(2, -1), (2, 6), lambda p, x: x.reshape(2, 2, 3)),
        (c.ops.mean(axis=1), (2, 6), lambda p, x: x.mean(1)),
        (
            c.squeeze_excite(2),
            (2, 3, 3, 4),
            lambda p, x: (
                x
                * jax.nn.sigmoid(
                    jax.nn.relu(x.mean((1, 2), keepdims=True) @ p["squeeze"]["kernel"] + p["squeeze"]["bias"])
                    @ p["excite"]["kernel"]
                    + p["excite"]["bias"]
                )
            ),
        ),
    ],
    ids=["fc", "einsum", "learned_scale", "reshape", "mean", "squeeze_excite"],
)
def test_nothing_is_added_to_what_one_writes_by_hand(net, shape, by_hand):
    x = jnp.ones(shape)
    params, state = net.init(0, x)
    assert equations(lambda p, x: net.apply(p, state, x)[0], params, x) == equations(by_hand, params, x)


def test_what_is_repeated_for_each_example_has_no_batch():
    with pytest.raises(ShapeError, match=r"expected one input \(1, \.\.\.\) and one \(batch, \.\.\.\), got"):
        c.compose_seq(c.identity, c.expand_batch)((np.ones((2, 8), np.float32), np.ones((2, 7), np.float32)))
