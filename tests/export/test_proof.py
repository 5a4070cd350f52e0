"""What the proof of an export compares, and within which errors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from compose import bfloat16, cast, compose_seq, fc, ops, spec
from compose.export import to_onnx, to_stablehlo
from compose.export.proof import TOLERANCE, difference

INF, NAN = np.inf, np.nan


def test_errors_are_relative_to_small_outputs_too():
    """Beyond rounding, that is: all of an output of 1e-5 may be wrong by less than 1e-4."""
    want = np.array([1e-5, 2e-5], np.float32)
    assert difference(want, want)[0] == 0
    assert difference(0 * want, want)[0] > TOLERANCE["float32"]


@pytest.mark.parametrize(("got", "want"), [(INF, NAN), (NAN, INF), (-INF, INF), (1.0, NAN), (NAN, 1.0)])
def test_infinity_is_not_nan(got, want):
    a, b = np.float32([got]), np.float32([want])
    assert difference(a, b)[0] == INF and difference(b, b)[0] == 0


def test_bfloat16_is_compared_as_floats():
    want = jnp.array([1.0, 2.0], jnp.bfloat16)
    near = np.asarray(want + jnp.array([0.0, 2**-6], jnp.bfloat16))
    assert 0 < difference(near, np.asarray(want))[0] < TOLERANCE["bfloat16"]


@pytest.mark.parametrize("net", [cast(fc(3), bfloat16), compose_seq(fc(3), ops.astype(dtype=bfloat16))], ids=str)
@pytest.mark.parametrize("to", [to_onnx, to_stablehlo])
def test_networks_in_half_precision_are_proven(net, to):
    if to is to_onnx:
        pytest.importorskip("onnx")
    else:
        pytest.importorskip("flatbuffers")
    params, state = net.init(0, spec(4))
    report = to(net, params, state, spec(4)).report
    assert report is not None and report.dtype == "bfloat16" and report.largest <= TOLERANCE["bfloat16"]


def test_inputs_in_half_precision_meet_weights_in_float32():
    pytest.importorskip("onnx")
    net, x = fc(3), spec(4, dtype="float16")
    report = to_onnx(net, *net.init(0, x), x).report
    assert report is not None and report.dtype == "float32" and report.largest < 1e-6
