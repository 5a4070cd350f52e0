"""Outputs of Keras models that no input changes."""

from __future__ import annotations

import pytest

from compose import parameter, port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")


@keras.saving.register_keras_serializable("tests")
class Table(keras.layers.Layer):
    """A weight, as `how` says."""

    def __init__(self, how, **options):
        super().__init__(**options)
        self.how = how

    def get_config(self):
        return {**super().get_config(), "how": self.how}

    def build(self, shape):
        self.table = self.add_weight(shape=(3, 4), name="table")

    def call(self, x):
        rows = self.table[None]
        if self.how == "for each example":
            return keras.ops.broadcast_to(rows, (keras.ops.shape(x)[0], 3, 4))
        if self.how == "twice":
            return keras.ops.broadcast_to(rows, (2, 3, 4))
        return keras.ops.transpose(self.table)


def model(how):
    x = keras.Input((5,))
    return keras.Model(x, [Table(how)(x), x * 2])


@pytest.mark.parametrize(
    ("how", "layer"), [("transposed", parameter(4, 3, batch=False)), ("for each example", parameter(3, 4))]
)
def test_weights(how, layer):
    p = port.from_keras(model(how))
    assert str(layer) in str(p.net)
    p.verify("gradients")


def test_a_weight_repeated_otherwise_is_refused():
    with pytest.raises(PortError, match=r"the weight table_?\w*/table of shape \(1, 3, 4\) repeated to \(2, 3, 4\)"):
        port.from_keras(model("twice"))
