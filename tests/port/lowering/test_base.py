"""Emitting layers: freezing, errors, edits, and operations without a rule."""

from __future__ import annotations

import pytest

from compose import fc, relu
from compose.core.errors import PortError
from compose.port.ir.weights import View
from compose.port.lowering.values import GraphWeight
from tests.port.lowering.toy import Toy


def test_a_layer_is_frozen_if_none_of_its_weights_trains():
    low = Toy()
    x = low.input()
    kernel, bias = GraphWeight(View("w"), (3, 3), False), GraphWeight(View("b"), (3,), True)
    low.emit(fc(3), x, weights={"kernel": kernel, "bias": bias})
    low.emit(fc(3, bias=False), x, weights={"kernel": kernel, "bias": None})
    assert low.layers() == ["fc(3)", "frozen(fc(3, bias=False))"]
    assert low.ops[0].weights == {"kernel": View("w"), "bias": View("b")} and low.ops[0].path == ("block",)


def test_an_input_that_is_no_value_is_named():
    with pytest.raises(PortError, match="relu, got a weight, w"):
        Toy().emit(relu, GraphWeight(View("w"), (3,)))


def test_emitted_layers_are_recorded_and_replaced():
    low = Toy()
    x = low.emit(relu, low.input())
    with low.recorded() as ops:
        y = low.emit(relu, x)
    assert [op.output for op in ops] == [y.index] and low.producer(y) is ops[0]
    low.replace_op(ops[0], layer=fc(2))
    assert low.layers() == ["relu", "fc(2)"]


def test_errors_name_the_location_once():
    low = Toy()
    with pytest.raises(PortError) as raised, low.located(), low.located():
        raise PortError("a rule")
    assert raised.value.__notes__ == ["at model.py:1"]


def test_what_has_no_rule_is_refused():
    low = Toy()
    low.refuse(partial=True)
    for line in (1, 2):
        low.lacks("toy.odd", f"model.py:{line}")
    with pytest.raises(PortError, match=r"toy.odd \(2×\), first at model.py:1\n.*rule\('toy.name'\)"):
        low.refuse(partial=True)
    with pytest.raises(PortError, match=r"toy.odd \(1×\)"):
        low.refuse(partial=False)
