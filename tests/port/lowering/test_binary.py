"""What each combination of a value with a number, an array or a weight becomes."""

from __future__ import annotations

import numpy as np
import pytest

from compose import conv, fc, frozen
from compose.core.errors import PortError
from compose.port.ir.weights import View
from compose.port.lowering.binary import binary, extreme
from compose.port.lowering.values import BroadcastWeight
from tests.port.lowering.toy import Toy

ROW = np.arange(3.0)
X = object()


def bias(trained=True, shape=(3,)):
    return BroadcastWeight.stored("b", shape, trained)


@pytest.mark.parametrize(
    ("operation", "a", "b", "layers"),
    [
        ("add", X, X, ["add"]),
        ("subtract", X, X, ["subtract"]),
        ("add", X, 2.0, ["add_constant(value=2.0)"]),
        ("add", 2.0, X, ["add_constant(value=2.0)"]),
        ("subtract", X, 2.0, ["add_constant(value=-2.0)"]),
        ("subtract", 2.0, X, ["scale(by=-1.0)", "add_constant(value=2.0)"]),
        ("multiply", X, np.full((1, 3), 4.0), ["scale(by=4.0)"]),
        ("divide", X, 4.0, ["scale(by=0.25)"]),
        ("divide", 4.0, X, ["ops.reciprocal", "scale(by=4.0)"]),
        ("add", X, 0.0, []),
        ("divide", X, 1, []),
        ("divide", 1.0, X, ["ops.reciprocal"]),
        ("multiply", X, ROW, ["frozen(learned_scale())"]),
        ("subtract", X, ROW, ["frozen(learned_bias())"]),
        ("divide", X, 1 + ROW[:, None], ["frozen(learned_scale(shape=(3, 1)))"]),
        ("add", bias(), X, ["learned_bias()"]),
        ("add", X, bias(shape=(1, 1)), ["learned_bias(shape=(1,))"]),
        ("subtract", X, bias(), ["scale(by=-1.0)", "learned_bias()", "scale(by=-1.0)"]),
        ("subtract", bias(), X, ["scale(by=-1.0)", "learned_bias()"]),
        ("multiply", X, bias(trained=False), ["frozen(learned_scale())"]),
    ],
)
def test_arithmetic(operation, a, b, layers):
    low = Toy()
    a, b = (low.input() if operand is X else operand for operand in (a, b))
    low.trains = lambda weight: getattr(weight, "source", "b") == "b" and low.trained
    low.trained = not any(isinstance(v, BroadcastWeight) and not v.trained for v in (a, b))
    binary(low, operation, a, b)
    assert low.layers() == layers


@pytest.mark.parametrize(
    ("product", "trained", "shared", "layers"),
    [
        (fc(3, bias=False), True, False, ["fc(3)"]),
        (conv(3, 1, bias=False), True, False, ["conv(3, 1)"]),
        (frozen(fc(3, bias=False)), False, False, ["frozen(fc(3))"]),
        (fc(3, bias=False), False, False, ["fc(3, bias=False)", "learned_bias()"]),
        (fc(3, bias=False), True, True, ["fc(3, bias=False)", "learned_bias()"]),
        (fc(3), True, False, ["fc(3)", "learned_bias()"]),
    ],
)
def test_a_sum_becomes_the_bias_of_the_product_before_it(product, trained, shared, layers):
    low = Toy()
    low.shared = shared
    y = low.emit(product, low.input(), weights={"kernel": View("w")})
    z = binary(low, "add", y, bias(trained, (1, 3)))
    assert low.layers() == layers
    if len(layers) == 1:
        assert z == y and low.ops[0].weights["bias"] == View("b", shape=(3,))


def test_the_first_rows_of_a_table_are_positions():
    low = Toy()
    low.shape = (7, 5, 3)
    rows = bias(shape=(9, 3)).taken(View("b", rows=(0, 5)), (5, 3), places=9)
    binary(low, "add", low.input(), rows)
    assert low.layers() == ["learned_positions(9)"] and low.ops[0].weights == {"embedding": View("b")}


def test_what_no_layer_expresses_is_refused():
    low = Toy()
    with pytest.raises(PortError, match="a value times a weight"):
        binary(low, "divide", low.input(), bias())
    with pytest.raises(PortError, match="a number, got an array of constants"):
        extreme(low, "maximum", low.input(), ROW)


def test_extremes():
    low = Toy()
    x = low.input()
    extreme(low, "maximum", x, x), extreme(low, "maximum", 0, x), extreme(low, "minimum", x, 6.0)
    assert low.layers() == ["maximum", "relu", "clip(max=6.0)"]
