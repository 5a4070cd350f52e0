"""The examples that an export is proven on: random integers that the layers know, and padding."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, embedding, flatten, graph, integer_lookup, lstm, masked, multi_hot, one_hot, ops, spec
from compose.export import ExportError, to_onnx
from compose.export.examples import examples_of

IDS = spec(6, dtype=int)
RUN = compose_seq(embedding(9, 4), lstm(3))


@pytest.mark.parametrize(
    ("net", "known"),
    [
        (RUN, range(9)),
        (masked(RUN), range(9)),
        (embedding(1, 2), range(1)),
        (embedding(9, 4, padding=7), range(9)),
        (one_hot(size=5), range(5)),
        (multi_hot(size=5), range(5)),
        (compose_seq(integer_lookup((5, 3, 9)), embedding(4, 3)), range(11)),
        (ops.sum, range(2)),
    ],
    ids=str,
)
def test_integers_are_those_that_a_layer_knows(net, known):
    (drawn,) = examples_of(net, (IDS,), 64)
    assert drawn.dtype == IDS.dtype and set(np.unique(drawn)) == set(known)


def test_lengths_are_those_of_sequences():
    _, lengths = examples_of(lstm(3), (spec(5, 2), spec(dtype=int)), 64)
    assert set(np.unique(lengths)) == set(range(6))


@pytest.mark.parametrize(("net", "padding"), [(masked(RUN, value=2), 2), (embedding(9, 4, padding=7), 7)])
def test_ids_end_in_padding(net, padding):
    (drawn,) = examples_of(net, (IDS,), 6)
    assert all((drawn[i, 1 + i :] == padding).all() for i in range(6)) and (drawn[:, 0] != padding).any()


def test_bytes_of_pictures():
    (drawn,) = examples_of(flatten, (spec(32, 32, 1, dtype="uint8"),), 8)
    assert drawn.min() == 0 and drawn.max() == 255


def test_arrays_are_taken_as_they_are():
    given = jnp.arange(6).reshape(2, 3)
    (drawn,) = examples_of(embedding(9, 4), (given,), 3)
    assert (drawn == jax.numpy.stack([given[0], given[1], given[0]])).all()


def test_rows_behind_the_second_are_proven():
    """A file whose table differs in a row that ids of 0 and 1 do not reach."""
    pytest.importorskip("onnx")
    net = graph(lambda ids: embedding(9, 4)(ids))
    params, state = net.init(0, IDS)
    table = params["embedding_0"]["embedding"]
    broken = to_onnx(net, params, state, IDS).model
    changed = {"embedding_0": {"embedding": table.at[5].add(1.0)}}
    from compose.export.onnx.run import Session
    from compose.export.proof import Report

    report = Report.of(net, changed, state, (IDS,), Session(broken), None)
    with pytest.raises(ExportError, match="computes what the network does"):
        report.check()
