"""Inputs and variables for the tests of single operations of TensorFlow."""

from __future__ import annotations

import numpy as np

from compose import port
from tests.port.frontends.tensorflow.test_lower import RNG, draw, variable

X, STEPS, IMAGE, VOLUME = (draw(*shape) for shape in ((3, 6), (3, 4, 6), (2, 6, 8, 4), (2, 4, 4, 4, 3)))
POSITIVE, IDS, PLACES = np.abs(X) + 0.5, np.array([0, 3, 2], "int32"), RNG.integers(0, 4, (3, 2)).astype("int32")
B, KERNEL, DEPTHWISE = variable(6), variable(3, 3, 4, 5), variable(3, 3, 4, 2)
UP, UP_1D, UP_3D, MATRIX = variable(3, 3, 5, 4), variable(3, 5, 6), variable(2, 2, 2, 4, 3), variable(5, 6)


def proven(function, inputs) -> port.Ported:
    """A port of the function, whose gradients are equal to TensorFlow's."""
    ported = port.from_tf(function, *(inputs if isinstance(inputs, tuple) else (inputs,)))
    assert ported.verify("gradients").ok
    return ported
