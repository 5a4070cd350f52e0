"""Writing and reading are inverse: what `port.from_onnx` reads of an export is the network, weights included."""

from __future__ import annotations

import jax
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
from tests.cases.case import Case
from tests.cases.subject import Subject, families

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


@pytest.mark.parametrize(("net", "given"), NETS, ids=[" ".join(str(net).split())[:60] for net, _ in NETS])
def test_reading_gives_the_network_back(net, given):
    subject = Subject(Case(net, (given,)))
    back = port.from_onnx(to_onnx(net, subject.params, subject.state, subject.inputs, proof=False).model)
    assert back.net == net
    for got, want in zip(jax.tree.leaves(back.params), jax.tree.leaves(subject.params), strict=True):
        assert np.allclose(got, want, atol=1e-6)


CASES = [case for cases in families().values() for case in cases][::6]


@pytest.mark.slow
def test_what_is_read_of_an_export_is_proven_equal_to_it():
    """Other networks come back in the reader's own form, which computes the same."""
    read = 0
    for case in CASES:
        subject = Subject(case)
        try:
            back = port.from_onnx(to_onnx(case.layer, subject.params, subject.state, subject.inputs, proof=False).model)
        except ValueError:  # the exporter or the reader has no word for it
            continue
        assert back.verify("outputs").ok, case.id
        read += 1
    assert read > 0.6 * len(CASES)
