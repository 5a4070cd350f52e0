"""Writing and reading are inverse: what `port.from_onnx` reads of an export is the network, weights included."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import (
    batch_norm,
    bidirectional,
    branch,
    compose_seq,
    concat,
    conv,
    conv_transpose,
    elu,
    embedding,
    fc,
    flatten,
    gelu,
    global_avg_pool,
    group_norm,
    gru,
    instance_norm,
    layer_norm,
    leaky_relu,
    lstm,
    max_pool,
    permute,
    port,
    relu,
    residual,
    rms_norm,
    rnn,
    sigmoid,
    silu,
    softmax,
    tanh,
    upsample,
)
from compose.export import to_onnx
from tests.cases.case import Case
from tests.cases.subject import Subject, families

pytest.importorskip("onnx")

IMAGE, SEQUENCE, ROWS = (3, 8, 8, 2), (3, 5, 4), (3, 6)
IDS = np.array([[1, 0, 2], [4, 5, 5]])
# In the reader's form: an activation is a layer of its own, and momentum, which ONNX has not, has torch's value.
NETS = [
    (compose_seq(fc(4), relu, fc(3), softmax), ROWS),
    (compose_seq(conv(4, 3, stride=2), batch_norm(momentum=0.9), relu, conv(6, (3, 1), padding=1)), IMAGE),
    (compose_seq(conv(4, 3, groups=2, dilation=2), max_pool(2), flatten, fc(3)), IMAGE),
    (compose_seq(conv_transpose(4, 3, stride=2, padding=1), tanh, global_avg_pool), IMAGE),
    (compose_seq(upsample(2), group_norm(2), silu, instance_norm(), gelu), IMAGE),
    (compose_seq(embedding(6, 4), lstm(3), layer_norm(), fc(2)), IDS),
    (compose_seq(bidirectional(lstm(3)), gru(4, output="last")), SEQUENCE),
    (
        compose_seq(rms_norm(), residual(compose_seq(fc(4), elu(alpha=2.0), fc(4))), leaky_relu(negative_slope=0.2)),
        (3, 4),
    ),
    (compose_seq(branch(fc(3), fc(2), join=concat()), sigmoid), ROWS),
    (compose_seq(permute(0, 2, 1), rnn(3)), SEQUENCE),
]


@pytest.mark.parametrize(("net", "given"), NETS, ids=[" ".join(str(net).split())[:60] for net, _ in NETS])
def test_reading_gives_the_network_back(net, given):
    subject = Subject(Case(net, (given,)))
    back = port.from_onnx(to_onnx(net, subject.params, subject.state, subject.inputs, proof=False).model)
    assert back.net == net
    for got, want in zip(jax.tree.leaves(back.params), jax.tree.leaves(subject.params), strict=True):
        assert np.allclose(got, want, atol=1e-6)


FORMS = [pytest.param(case, id=f"{name}: {case.id}") for name, cases in families().items() for case in cases]


@pytest.mark.slow
@pytest.mark.parametrize("case", FORMS)
def test_what_was_read_is_read_again(case: Case):
    """The property behind it: the reader's own form of a network survives writing and reading."""
    subject = Subject(case)
    try:
        form = port.from_onnx(to_onnx(case.layer, subject.params, subject.state, subject.inputs, proof=False).model)
    except ValueError:
        pytest.skip("the reader has no words for it")
    again = port.from_onnx(to_onnx(form.net, form.params, form.state, subject.inputs, proof=False).model)
    assert again.net == form.net
