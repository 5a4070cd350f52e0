"""Keras layers and `keras.ops` beside the common ones, proven to twenty equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L, ops = keras.layers, keras.ops


def encodings():
    ids, x = keras.Input((3,), dtype="int32"), keras.Input((3,))
    bins = L.Discretization([-1.0, 0.0, 1.0])(x)
    parts = [L.CategoryEncoding(5)(ids), L.CategoryEncoding(5, "count")(ids), L.Flatten()(L.Embedding(4, 3)(bins))]
    return keras.Model([ids, x], L.Dense(2)(L.Concatenate()(parts)))


def einsums():
    first = L.EinsumDense("btd,dhk->bthk", (5, 2, 3), bias_axes="hk", activation="relu")
    return keras.Sequential([keras.Input((5, 6)), first, L.EinsumDense("...hk,hkd->...d", (5, 4), bias_axes="d")])


def augmented():
    layers = [L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.1), L.RandomTranslation(0.1, 0.1)]
    return keras.Sequential([keras.Input((6, 6, 3)), *layers, L.RandomGrayscale(0.3), L.Conv2D(2, 3), L.Flatten()])


def channels_first():
    first = {"data_format": "channels_first"}
    layers = [
        L.Conv2D(4, 3, strides=2, padding="same", **first), L.BatchNormalization(axis=1), L.DepthwiseConv2D(2, **first),
        L.ZeroPadding2D(((1, 0), (0, 2)), **first), L.SeparableConv2D(4, 2, **first), L.UpSampling2D(2, **first),
        L.GroupNormalization(2, axis=1), L.Conv2DTranspose(3, 2, **first), L.MaxPooling2D(2, **first),
        L.SpatialDropout2D(0.1, **first), L.Flatten(**first), L.Dense(2),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((3, 8, 9)), *layers])


def attention_over_axes():
    x = keras.Input((3, 4, 6))
    parts = [L.MultiHeadAttention(2, 3, attention_axes=axes)(x, x) for axes in ((1,), (2,), (1, 2))]
    return keras.Model(x, L.Concatenate()(parts))


def norms_of_any_axes():
    layers = [
        L.Rescaling([0.5, 2.0, 1.0], [0.1, 0.0, -1.0]), L.Dense(3), L.LayerNormalization(axis=(1, 2)),
        L.LayerNormalization(axis=1), L.BatchNormalization(axis=1),
        L.Normalization(mean=[0.3, 0.2, 0.1], variance=[2.0, 1.0, 3.0], invert=True), L.UnitNormalization(axis=1),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((5, 4, 3)), *layers])


def stacked_cells():
    x = keras.Input((5, 3))
    first = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), return_state=True)
    _, a, b = first(x)
    h, c = a
    second = L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True)
    return keras.Model(x, [second(x, initial_state=[[h, c], b]), c])


def activations():
    layers = [
        L.Conv2D(4, 2, activation=L.LeakyReLU(negative_slope=0.1)), L.AdaptiveAveragePooling2D((3, 2)),
        L.ReLU(max_value=4.0, negative_slope=0.25, threshold=0.5), L.AdaptiveMaxPooling2D(2), L.Softmax(axis=(1, 2)),
        L.Dropout(0.2, noise_shape=(None, 1, 1, 4)), L.Flatten(), L.Dense(2, activation=L.ELU(alpha=0.5)),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((8, 6, 2)), *layers])


def tied():
    table, x = L.ReversibleEmbedding(6, 4), keras.Input((5,), dtype="int32")
    return keras.Model(x, table(L.Dense(4)(table(x)), reverse=True))


def functions():
    x = keras.Input((6, 4))
    h = L.Dense(4)(x)
    h = ops.einsum("btd,bsd->bts", h, x)
    h = ops.where(h > 0, h, h * 0.5) + ops.where(ops.logical_or(h < -1, h >= 2), 0.25, h)
    h = ops.take(h, [0, 2, 5], axis=1)
    h = 2 - 1 / (1 + ops.exp(ops.clip(h, -3, 3)))
    h = ops.average_pool(ops.pad(h, [[0, 0], [1, 1], [0, 0]]), 2, strides=1)
    return keras.Model(x, ops.normalize(ops.amax(h, axis=1)) / ops.norm(h, axis=(1,)))


@keras.saving.register_keras_serializable("tests")
class Own(keras.layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 2, 4), name="kernel")
        self.table = self.add_weight(shape=(5, 4), name="table")
        self.mix = self.add_weight(shape=(4, 2, 3), name="mix")

    def call(self, x):
        h = ops.conv(x, self.kernel, padding="same") + ops.take(self.table, ops.argmax(x, axis=-1), axis=0)
        return ops.einsum("btd,dhk->bthk", h, self.mix)


def half_precision():
    layers = [L.Dense(5, "relu", dtype="mixed_bfloat16"), L.BatchNormalization(dtype="mixed_bfloat16")]
    return keras.Sequential([keras.Input((4,)), *layers, L.Dense(2, dtype="bfloat16")])


CASES = {
    f.__name__: f
    for f in (
        encodings, einsums, augmented, channels_first, attention_over_axes, norms_of_any_axes, stacked_cells,
        activations, tied, functions, half_precision,
    )
}  # fmt: skip


@proofs(CASES)
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


def test_draws_that_are_shared():
    net = port.from_keras(activations()).net
    assert "dropout(0.2, shared_axes=(1, 2))" in str(net)


@pytest.mark.parametrize(
    ("name", "word"),
    [("RandAugment", "rand_augment"), ("AugMix", "aug_mix"), ("RandomElasticTransform", "random_elastic_transform")],
)
def test_random_layers_of_another_law_say_what_to_write(name, word):
    with pytest.raises(PortError, match=word):
        port.from_keras(keras.Sequential([keras.Input((4, 4, 3)), getattr(L, name)()]))


def test_text_stays_in_front():
    x = keras.Input((3,), dtype="int64")
    ids = L.IntegerLookup(vocabulary=[3, 5, 7], name="look")(x)
    model = keras.Model(x, L.Dense(2)(L.Flatten()(L.Embedding(4, 3)(ids))))
    with pytest.raises(PortError, match=r"starts after IntegerLookup.*keras.Model\(look.output, model.output\)"):
        port.from_keras(model)
    look = model.get_layer("look")
    assert port.from_keras(keras.Model(look.output, model.output)).verify("gradients").ok


@pytest.mark.slow
def test_weights_in_operations():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    assert port.from_keras(keras.Sequential([keras.Input((4, 2)), Own()]), x).verify("steps").ok


def test_an_embedding_whose_way_back_is_not_taken_leaves_its_weight_unread():
    table = L.ReversibleEmbedding(5, 3, tie_weights=False)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), table, L.Dense(2)])
    assert port.from_keras(model).verify("step").ok
    ids = keras.Input((4,), dtype="int32")
    both = keras.Model(ids, L.ReversibleEmbedding(5, 3, tie_weights=False, logit_soft_cap=2.0, name="back")(ids))
    back = both.get_layer("back")
    both = keras.Model(ids, back(back(ids), reverse=True))
    assert port.from_keras(both).verify("gradients").ok


def test_one_number_for_each_example_is_flattened_to_a_column():
    assert port.from_keras(keras.Sequential([keras.Input(()), L.Flatten(), L.Dense(2)])).verify("gradients").ok
