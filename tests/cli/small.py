"""A small model in a file."""

import numpy as np

import compose
from compose import batch_norm, compose_seq, fc, relu, softmax, spec
from compose.train import Trained


@compose.register
def floats(x):
    return x.astype("float32")


def model(path, net=None, *inputs, history=()):
    inputs = inputs or (spec(4),)
    net = net or compose_seq(fc(5, relu, name="e1"), batch_norm, fc(3, softmax))
    params, state = net.init(0, *inputs)
    trained = Trained(net, params, state, history, inputs if len(inputs) > 1 else inputs[0])
    trained.save(path)
    return trained


X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
