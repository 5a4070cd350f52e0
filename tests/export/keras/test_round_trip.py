"""Writing and reading are inverse: what `port.from_keras` reads of a model is the network, weights included."""

from __future__ import annotations

import numpy as np
import pytest

from compose import (
    avg_pool,
    batch_norm,
    bidirectional,
    branch,
    buffer,
    compose_seq,
    concat,
    conv,
    conv_transpose,
    depthwise_conv,
    embedding,
    fc,
    flatten,
    gelu,
    global_avg_pool,
    group_norm,
    gru,
    layer_norm,
    lstm,
    max_pool,
    multi_head_attention,
    port,
    relu,
    repeat,
    residual,
    rms_norm,
    sigmoid,
    silu,
    upsample,
)
from compose.export import to_keras
from tests.export.catalogue import READ_BACK, gives_back, gives_back_what_computes_the_same

keras = pytest.importorskip("keras")

IMAGE, SEQUENCE, ROWS = (3, 8, 8, 2), (3, 5, 4), (3, 6)
NETS = [
    (compose_seq(conv(4, 3, relu), max_pool(), conv(6, 3, padding="valid", stride=2), flatten, fc(3)), IMAGE),
    (compose_seq(conv(4, 3), batch_norm(momentum=0.9), relu, global_avg_pool), IMAGE),
    (compose_seq(conv(4, 3, groups=2), group_norm(2), silu, avg_pool()), IMAGE),
    (compose_seq(depthwise_conv(3, padding="valid"), depthwise_conv(3, bias=False), upsample(2)), IMAGE),
    (compose_seq(fc(8, relu, name="e1"), fc(2, sigmoid, name="e2")), ROWS),
    (compose_seq(branch(fc(3), fc(2), join=concat), gelu), ROWS),
    (compose_seq(layer_norm(), residual(multi_head_attention(2)), rms_norm(), fc(3)), SEQUENCE),
    (compose_seq(fc(4), repeat(3, residual(fc(4, relu)))), SEQUENCE),
    (conv_transpose(4, 4, relu, stride=2), IMAGE),
    (compose_seq(embedding(6, 4), lstm(3), gru(2, output="last")), np.array([[1, 0, 2], [4, 5, 5]])),
    (bidirectional(lstm(3)), SEQUENCE),
]


def back(net, subject):
    model = to_keras(net, subject.params, subject.state, subject.inputs, proof=False).model()
    return port.from_keras(model)


@pytest.mark.slow
@pytest.mark.parametrize(("net", "given"), NETS, ids=[" ".join(str(net).split())[:60] for net, _ in NETS])
def test_reading_gives_the_network_back(net, given):
    gives_back(net, given, back)


@pytest.mark.slow
def test_what_is_read_of_an_export_is_proven_equal_to_it():
    gives_back_what_computes_the_same(back, [case for case in READ_BACK if not isinstance(case.layer, buffer)])
