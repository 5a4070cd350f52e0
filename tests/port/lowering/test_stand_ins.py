"""Layers that hold the stand-in for the batch's size."""

from __future__ import annotations

import numpy as np
import pytest

from compose import at, compose_seq, embedding, frozen, learned_bias, reshape, scale
from compose.core.errors import PortError
from compose.port.ir.weights import Constant, View
from compose.port.lowering.stand_ins import refuse_stand_ins
from compose.port.lowering.values import BATCH

HOLDS = lambda n: n != 0 and n % BATCH == 0
WRONG = [
    (scale(by=BATCH), []),
    (reshape(2 * BATCH, 3, batch=False), []),
    (at(f":{BATCH}"), []),
    (compose_seq(at("0"), frozen(scale(by=BATCH))), []),
    (learned_bias((BATCH, 1)), [Constant(array=np.zeros((BATCH, 1)))]),
]


@pytest.mark.parametrize("layer,views", WRONG, ids=str)
def test_refused(layer, views):
    with pytest.raises(PortError) as raised:
        refuse_stand_ins(layer, views, HOLDS)
    assert str(BATCH) not in str(raised.value)


RIGHT = [
    (scale(by=2), []),
    (reshape(-1, 3, batch=False), []),
    (embedding(BATCH, 8), [View("table")]),
    (learned_bias((3, 1)), [Constant(array=np.zeros((3, 1)))]),
]


@pytest.mark.parametrize("layer,views", RIGHT, ids=str)
def test_let_through(layer, views):
    refuse_stand_ins(layer, views, HOLDS)
