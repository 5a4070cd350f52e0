"""Finding the layer that a format refuses: each layer alone, in order, each kind once."""

from __future__ import annotations

import jax
import numpy as np
from jax import export

from compose import batch_norm, compose_seq, embedding, fc, relu, repeat, residual, share, softmax
from compose.export.errors import ExportError
from compose.export.suspect import named, refused

NET = compose_seq(
    fc(4), batch_norm(), repeat(2, residual(compose_seq(fc(4, relu), fc(4)))), compose_seq(fc(4), softmax, name="head")
)
PARAMS, STATE = NET.init(0, 4)
X = np.ones((3, 4), np.float32)


def search(net, params, state, x, refusal):
    batch = export.symbolic_shape("batch")[0]
    spec = jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
    return refused(net, params, state, (spec,), (x,), refusal)


def test_layers_are_tried_alone_in_order_and_once():
    tried = []

    def refusal(piece):
        y = piece.call(piece.weights, piece.example)
        assert y.shape == (3, 4) and {str(a.shape) for a in jax.tree.leaves(piece.x)} == {"(batch, 4)"}
        tried.append(piece)

    assert search(NET, PARAMS, STATE, X, refusal) is None
    assert [str(p.layer) for p in tried] == ["fc(4)", "batch_norm()", "fc(4, relu)", "identity", "add", "softmax"]
    assert {"repeat_0/0/body/fc_0", "repeat_0/0/join", "head/softmax_0"} < {"/".join(p.path) for p in tried}


def test_the_first_that_is_refused_is_named():
    found = search(NET, PARAMS, STATE, X, lambda piece: "no exponentials" if piece.layer == softmax else None)
    error = named(ExportError("all"), found, "this format", "a fix")
    assert str(error).startswith("head/softmax_0: expected a layer that this format can say, got no exponentials")
    assert "a fix" in str(error)
    assert named(error, None, "") is error


def test_shared_layers_run_alone():
    net = share(embedding(5, 3), lambda e: compose_seq(e, fc(3), e.attend))
    params, state = net.init(0, np.zeros((2, 4), np.int32))
    shapes = []
    refusal = lambda piece: shapes.append(piece.call(piece.weights, piece.example).shape)
    assert search(net, params, state, np.zeros((2, 4), np.int32), refusal) is None
    assert (2, 4, 5) in shapes


def test_a_network_of_one_layer_is_that_layer():
    found = search(fc(3), *fc(3).init(0, 4), X, lambda piece: "nothing" if piece.path == () else None)
    assert str(named(ExportError(), found, "this")).startswith("fc: expected a layer that this can say, got nothing")
