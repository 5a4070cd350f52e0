"""Normalisation of TensorFlow, with its gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import IMAGE, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")


def test_local_response_norm():
    ported = proven(lambda x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.75), IMAGE)
    assert str(ported.net) == "local_response_norm(5, alpha=2.5)"
