"""Layers that only Keras has under their name, against Keras, in float64, with their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import compose as c
from tests.cases.subject import assert_close


@pytest.fixture(scope="module")
def keras():
    import keras

    with jax.enable_x64(True):
        yield keras


def prove(theirs, ours, shapes, names=(), move=lambda w: w):
    """Both layers on the same numbers: output, gradients of inputs, and of the parameters `names`, in Keras's order."""
    noise = np.random.default_rng(0)
    inputs = [jnp.asarray(noise.normal(size=shape)) for shape in shapes]
    call = lambda weights, xs: theirs.stateless_call(weights, [], xs if len(xs) > 1 else xs[0])[0]
    theirs.build([x.shape for x in inputs] if len(inputs) > 1 else inputs[0].shape)
    weights = [jnp.asarray(noise.normal(size=w.shape)) for w in theirs.trainable_variables]
    params = dict(zip(names, map(move, weights), strict=True))
    y, back = jax.vjp(lambda p, xs: ours.apply(p, {}, *xs)[0], params, inputs)
    wanted, back_theirs = jax.vjp(call, weights, inputs)
    assert_close(y, wanted, 1e-10, "output")
    cotangent = jnp.asarray(noise.normal(size=y.shape))
    (by_params, by_inputs), (by_weights, wanted_inputs) = back(cotangent), back_theirs(cotangent)
    assert_close(by_inputs, wanted_inputs, 1e-10, "gradients of inputs")
    assert_close([by_params[n] for n in names], [move(w) for w in by_weights], 1e-10, "gradients of parameters")


@pytest.mark.parametrize(
    "equation,shape,theirs,bias",
    [
        ("abc,cd->abd", (3, 4, 5), dict(output_shape=(4, 6), bias_axes="d"), "d"),
        ("abc,cde->abde", (3, 4, 5), dict(output_shape=(4, 2, 3), bias_axes="de"), "de"),
        ("...x,xy->...y", (3, 4, 5), dict(output_shape=6, bias_axes="y"), "y"),
        ("abc,cd->adb", (3, 4, 5), dict(output_shape=(6, 4), bias_axes="d"), "d"),
    ],
)
def test_einsum_dense(keras, equation, shape, theirs, bias):
    sizes = {"abc,cd->abd": (6,), "abc,cde->abde": (2, 3), "...x,xy->...y": (6,), "abc,cd->adb": (6,)}[equation]
    layer = keras.layers.EinsumDense(equation, dtype="float64", **theirs)
    squeeze = lambda w: w.reshape(w.shape[0], -1)[:, 0] if w.ndim == 2 and w.shape[1] == 1 else w
    ours = c.einsum(equation, sizes, bias=bias)
    prove(layer, ours, [shape], ("kernel", "bias"), squeeze)


@pytest.mark.parametrize("axes", [1, (1, 2), (2, 1)])
@pytest.mark.parametrize("normalize", [False, True])
def test_dot(keras, axes, normalize):
    shapes = {1: [(2, 3, 4), (2, 3, 5)], (1, 2): [(2, 3, 4), (2, 5, 3)], (2, 1): [(2, 4, 3), (2, 3, 5)]}[axes]
    prove(keras.layers.Dot(axes, normalize, dtype="float64"), c.dot(axes=axes, normalize=normalize), shapes)


@pytest.mark.parametrize(
    "name,ours",
    [("Average", c.average), ("Maximum", c.maximum), ("Minimum", c.minimum), ("Add", c.add), ("Multiply", c.multiply)],
)
def test_merges(keras, name, ours):
    prove(getattr(keras.layers, name)(dtype="float64"), ours, [(3, 4)] * 3)


def test_subtract_and_concatenate(keras):
    prove(keras.layers.Subtract(dtype="float64"), c.subtract, [(3, 4)] * 2)
    prove(keras.layers.Concatenate(axis=1, dtype="float64"), c.concat(axis=1), [(2, 3, 4), (2, 5, 4)])


def test_shapes(keras):
    layers = keras.layers
    prove(layers.Reshape((2, -1), dtype="float64"), c.reshape(2, -1), [(3, 4, 2)])
    prove(layers.Permute((2, 1), dtype="float64"), c.permute(0, 2, 1), [(3, 4, 2)])
    prove(layers.RepeatVector(3, dtype="float64"), c.repeat_vector(times=3), [(2, 4)])
    prove(layers.Flatten(dtype="float64"), c.flatten, [(2, 4, 3)])


@pytest.mark.parametrize("shared,axes", [(None, (1, 2)), ([1], (2,)), ([1, 2], ())])
def test_prelu(keras, shared, axes):
    squeeze = lambda w: w.reshape([n for n in w.shape if n > 1])
    theirs = keras.layers.PReLU(shared_axes=shared, dtype="float64")
    prove(theirs, c.prelu(axes), [(2, 3, 4)], ("negative_slope",), squeeze)


def test_encodings(keras):
    ids = jnp.array([[0, 3, 1], [2, 2, 0]])
    for mode, ours in [("multi_hot", c.multi_hot), ("one_hot", c.one_hot)]:
        theirs = keras.layers.CategoryEncoding(4, mode)
        assert np.array_equal(ours(size=4)(ids), theirs(ids))
    x = np.array([-1.5, -0.5, 0.2, 1.0, 3.0])
    theirs = keras.layers.Discretization(bin_boundaries=[-0.5, 0.0, 1.0])
    assert np.array_equal(c.bucketize(boundaries=(-0.5, 0.0, 1.0))(x), theirs(x))


@pytest.mark.parametrize("unknown, mask", [(1, None), (3, None), (1, 0), (2, 7)])
def test_integer_lookup(keras, unknown, mask):
    x = np.array([[12, 1138, 42, 0], [37, 1000, 7, -5]])
    theirs = keras.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=unknown, mask_token=mask)
    assert np.array_equal(c.integer_lookup((12, 36, 1138, 42), unknown, mask)(x), theirs(x))
