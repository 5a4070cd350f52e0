"""A small model and the parts of its file."""

import json

import jax
import numpy as np

from compose import batch_norm, compose_seq, fc, relu, softmax, spec
from compose.train import Trained
from compose.train.container import seal

NET = compose_seq(fc(5, relu, name="e1"), batch_norm, fc(3, softmax))
HISTORY = ({"epoch": 1, "loss": 0.1 + 0.2, "seconds": float("nan")}, {"epoch": 2, "loss": 1e-300, "seconds": 2.0})


def trained(net=NET, inputs=None, history=HISTORY, cast=None) -> Trained:
    inputs = spec(4) if inputs is None else inputs
    params, state = net.init(0, *(inputs if isinstance(inputs, tuple) else (inputs,)))
    if cast is not None:
        params = jax.tree.map(lambda a: a.astype(cast), params)
    return Trained(net, params, state, history, inputs)


def same(a, b) -> None:
    """Trees of the same arrays, bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)):
        assert x.dtype == y.dtype and x.shape == y.shape
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def split(data: bytes) -> tuple[dict, bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def sealed(data: bytes) -> bytes:
    """The file with a digest that fits it."""
    size = int.from_bytes(data[:8], "little")
    return seal(data[: 8 + size], data[8 + size :]) + data[8 + size :]


def joined(header: dict, body: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def changed(data: bytes, **metadata) -> bytes:
    """The file with other metadata and a digest that fits them."""
    header, body = split(data)
    header["__metadata__"] |= metadata
    return sealed(joined(header, body))
