"""Embedding: padding rows, ids outside the table, and wrong input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, embedding, embedding_bag, fc, share
from compose.core.errors import ConfigError, DtypeError, LayerError, ShapeError

IDS = jnp.array([[1, 0, 2], [2, 2, 0]])


def test_the_padding_row_starts_zero_and_gets_no_gradient():
    net = embedding(4, 3, padding=2)
    params, _ = net.init(0, IDS)
    assert not np.any(params["embedding"][2]) and np.all(params["embedding"][0] != 0)
    slope = jax.grad(lambda p: jnp.sum(net.apply(p, {}, IDS)[0] ** 2 + net.apply(p, {}, IDS)[0]))(params)["embedding"]
    assert not np.any(slope[2]) and np.all(slope[0] != 0)


def test_ids_outside_are_an_error_where_they_are_known():
    net = compose_seq(embedding(4, 3), fc(2))
    params, _ = net.init(0, IDS)
    for bad in (IDS + 2, IDS - 1):
        with pytest.raises(LayerError) as caught:
            net.apply(params, {}, bad)
        assert "embedding_0: expected ids between 0 and 3, the rows of its table, got ids between" in str(caught.value)


def test_ids_outside_are_nan_inside_jit_and_never_another_row():
    net = embedding(4, 3)
    params, _ = net.init(0, IDS)
    look_up = jax.jit(lambda ids: net.apply(params, {}, ids)[0])
    y = look_up(jnp.array([[-1, 0, 3, 4]]))
    np.testing.assert_array_equal(np.isnan(y).all(-1), [[True, False, False, True]])
    np.testing.assert_array_equal(y[0, 2], params["embedding"][3])
    bag = embedding_bag(4, 3)
    assert np.isnan(jax.jit(lambda ids: bag.apply(params, {}, ids)[0])(IDS + 2)).any()


def test_ids_that_are_constants_of_a_traced_function_are_checked_too():
    net, ids = embedding(4, 2), jnp.array([[0, 3]])
    params, _ = net.init(0, ids)
    assert jax.jit(lambda p: net.apply(p, {}, ids)[0])(params).shape == (1, 2, 2)
    outside = ids + 1
    with pytest.raises(LayerError, match="ids between 0 and 3"):
        jax.jit(lambda p: net.apply(p, {}, outside)[0])(params)


def test_attend_is_the_transposed_table():
    net = share(embedding(4, 3), lambda e: compose_seq(e, e.attend))
    params, _ = net.init(0, IDS)
    table = params["embedding_0"]["embedding"]
    np.testing.assert_allclose(net.apply(params, {}, IDS)[0], table[IDS] @ table.T, rtol=1e-6)


def test_an_empty_bag_is_zero():
    for mode in ("sum", "mean", "max"):
        net = embedding_bag(4, 3, mode)
        params, _ = net.init(0, IDS)
        y = net.apply(params, {}, IDS, jnp.array([0, 3]))[0]
        assert not np.any(y[0]) and np.all(y[1] != 0)
        slope = jax.grad(lambda p, net=net: net.apply(p, {}, IDS, jnp.array([0, 3]))[0].sum())(params)["embedding"]
        assert np.all(np.isfinite(slope))


def test_wrong_input_says_what_is_wanted():
    with pytest.raises(DtypeError, match=r"integer ids, got float32[\s\S]*ids.astype"):
        embedding(4, 3).init(0, jnp.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"of ids \(batch, n\)"):
        embedding_bag(4, 3).init(0, jnp.ones((2,), int))
    with pytest.raises(ShapeError, match=r'mode="sum" with weights of shape \(2, 3\)'):
        embedding_bag(4, 3, "mean").init(0, IDS, jnp.ones((2, 3)))
    with pytest.raises(ShapeError, match="one length for each of the 2 sequences"):
        embedding_bag(4, 3).init(0, IDS, jnp.array([1, 2, 3]))
    with pytest.raises(ConfigError, match="a padding id between 0 and 3"):
        embedding(4, 3, padding=4)
    with pytest.raises(ConfigError, match="a count and a size of at least 1"):
        embedding(0, 3)
