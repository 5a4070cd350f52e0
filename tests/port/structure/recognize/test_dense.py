"""Biases and zeros beside the layer that they belong to."""

from __future__ import annotations

import pytest

from compose import add, conv, fc, frozen, learned_bias, pad, relu, tanh
from tests.port.structure.recognize.proof import recognized
from tests.port.structure.recognize.test_activation import chain

WRITTEN = {
    "fc(3)": lambda b, x: chain(b, x, fc(3, bias=False), learned_bias()),
    "conv(3, 3)": lambda b, x: chain(b, x, conv(3, 3, bias=False), learned_bias()),
    "conv(3, 3, padding=1)": lambda b, x: chain(b, x, pad(1), conv(3, 3, padding="valid")),
}


@pytest.mark.parametrize("layer", WRITTEN)
def test_is_one_layer(layer):
    assert recognized(WRITTEN[layer], (5, 6, 2)) == layer


NEAR_MISSES = {
    "an activation between": lambda b, x: chain(b, x, fc(3, relu, bias=False), learned_bias()),
    "one bias of all channels": lambda b, x: chain(b, x, fc(3, bias=False), learned_bias(shape=(1,))),
    "one of every place": lambda b, x: chain(b, x, fc(3, bias=False), learned_bias(shape=(6, 3))),
    "a bias that is not trained": lambda b, x: chain(b, x, fc(3, bias=False), frozen(learned_bias())),
    "a product that is read elsewhere": lambda b, x: b(
        add, b(learned_bias(), h := b(fc(3, bias=False), x)), b(tanh, h)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_stays(name):
    assert "learned_bias" in recognized(NEAR_MISSES[name], (5, 6, 2))


@pytest.mark.parametrize("zeros", [pad(1, value=1.0), pad(1, mode="reflect")])
def test_what_is_not_zero_stays(zeros):
    assert "pad(" in recognized(lambda b, x: chain(b, x, zeros, conv(3, 3, padding="valid")), (5, 6, 2))


def test_a_window_that_pads_itself_stays():
    assert "pad(" in recognized(lambda b, x: chain(b, x, pad(1), conv(3, 3, padding="same")), (5, 6, 2))
