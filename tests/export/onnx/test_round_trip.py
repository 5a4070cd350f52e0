"""Writing and reading are inverse: what `port.from_onnx` reads of an export is the network, weights included."""

from __future__ import annotations

import numpy as np
import pytest

from compose import (
    batch_norm,
    branch,
    compose_seq,
    concat,
    conv,
    fc,
    flatten,
    gelu,
    group_norm,
    instance_norm,
    max_pool,
    port,
    relu,
    sigmoid,
    silu,
    upsample,
)
from compose.export import to_onnx
from tests.export.catalogue import gives_back, gives_back_what_computes_the_same

pytest.importorskip("onnx")

IMAGE, SEQUENCE, ROWS = (3, 8, 8, 2), (3, 5, 4), (3, 6)
IDS = np.array([[1, 0, 2], [4, 5, 5]])
# In the reader's form: an activation is a layer of its own, and momentum, which ONNX has not, has torch's value.
NETS = [
    (compose_seq(conv(4, 3, stride=2), batch_norm(momentum=0.9), relu, conv(6, (3, 1), padding=1)), IMAGE),
    (compose_seq(conv(4, 3, groups=2, dilation=2), max_pool(2), flatten, fc(3)), IMAGE),
    (compose_seq(upsample(2), group_norm(2), silu, instance_norm(), gelu), IMAGE),
    (compose_seq(branch(fc(3), fc(2), join=concat()), sigmoid), ROWS),
]


def back(net, subject):
    return port.from_onnx(to_onnx(net, subject.params, subject.state, subject.inputs, proof=False).model)


@pytest.mark.parametrize(("net", "given"), NETS, ids=[" ".join(str(net).split())[:60] for net, _ in NETS])
def test_reading_gives_the_network_back(net, given):
    gives_back(net, given, back)


@pytest.mark.slow
def test_what_is_read_of_an_export_is_proven_equal_to_it():
    gives_back_what_computes_the_same(back)
