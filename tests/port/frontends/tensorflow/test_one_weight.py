"""One variable that operations read in forms that no one layer has: it is a `parameter`, which all of them read."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
CASES = {
    "tied": lambda x, w, b: tf.tanh(x @ w) @ tf.transpose(w) + w[0],
    "a norm": lambda x, w, b: x @ (w / tf.norm(w, axis=0, keepdims=True) * b) + tf.reduce_mean(w),
    "its magnitude": lambda x, w, b: x @ w * tf.abs(b),
    "a sum": lambda x, w, b: (x @ w + b) * tf.reduce_sum(b),
    "an output": lambda x, w, b: (x @ w, 2.0 * w, b),
    "joined": lambda x, w, b: x @ tf.concat([w, tf.transpose(w)], -1) + tf.reduce_sum(b),
    "numbers for each row": lambda x, w, b: x @ (w * np.arange(16.0, dtype=np.float32).reshape(4, 4)) + w[0] * b,
    "half of it": lambda x, w, b: x @ tf.linalg.band_part(w, -1, 0) * b,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_learns_as_one(name):
    w, b = (tf.Variable(RNG.normal(size=s).astype(np.float32)) for s in ((4, 4), (4,)))
    ported = port.from_tf(tf.function(lambda x: CASES[name](x, w, b)), X)
    assert ported.verify("step").ok
