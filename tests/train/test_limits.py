"""Ids beyond a table and lengths beyond the steps: named before anything runs, in fit, evaluate and predict."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from compose import compose_seq, embedding, embedding_bag, fc, flatten, global_avg_pool, identity, lstm, parallel
from compose.core.errors import DtypeError, LayerError, ShapeError

IDS = np.array([[1, 2], [0, 4], [3, 7], [1, 1]])
Y = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize("ids", [IDS, jnp.asarray(IDS)], ids=["host", "device"])
def test_ids_beyond_the_table(ids):
    net = compose_seq(embedding(5, 3), flatten, fc(2))
    text = "embedding_0: expected ids between 0 and 4, the rows of its table, got 7 at \\[2, 1\\]"
    with pytest.raises(LayerError, match=text):
        net.fit(ids, Y, loss="mse", verbose=False)
    good = np.minimum(IDS, 4)
    with pytest.raises(LayerError, match=text):
        net.fit(good, Y, loss="mse", validation=(ids, Y), verbose=False)
    trained = net.fit(good, Y, loss="mse", verbose=False)
    for use in (trained.predict, lambda ids: trained.predict(ids, batch_size=1), lambda ids: trained.evaluate(ids, Y)):
        with pytest.raises(LayerError, match=text):
            use(ids)
    with pytest.raises(LayerError, match="got -1 at"):
        trained.predict(good - 1)


def test_one_of_several_inputs_and_the_network_itself():
    net = compose_seq(parallel(identity, embedding_bag(5, 2)), lambda a, b: a + b)
    with pytest.raises(LayerError, match="got 7 at \\[2, 1\\] of input 1"):
        net.fit((Y, IDS), Y, loss="mse", verbose=False)
    with pytest.raises(LayerError, match="embedding: expected ids"):
        embedding(5, 2).fit(IDS, np.zeros((4, 2, 2)), loss="mse", verbose=False)


def test_lengths():
    net = compose_seq(lstm(3), global_avg_pool, fc(1))
    x = np.zeros((4, 5, 2), np.float32)
    with pytest.raises(LayerError, match=r"lstm_0: expected lengths between 0 and 5, the steps of its .*, got 6 at"):
        net.fit((x, np.array([5, 1, 6, 2])), Y[:, :1], loss="mse", verbose=False)
    params, state = net.init(0, x)
    with pytest.raises(ShapeError, match="lengths from 0 to 5, the number of steps, got 0 to 9"):
        net.apply(params, state, x, np.array([5, 0, 9, 2]))


def test_lengths_are_integers():
    for net, x in ((embedding_bag(5, 2), IDS), (lstm(3), np.zeros((4, 5, 2), np.float32))):
        with pytest.raises(DtypeError, match="lengths that are integers, got float32"):
            net.init(0, x, np.ones(4, np.float32))
