"""LiteRT models: every family, every precision, and refusals that name the layer."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from compose import (
    avg_pool,
    batch_norm,
    bidirectional,
    compose_seq,
    concat,
    conv,
    conv_transpose,
    depthwise_conv,
    einsum,
    embedding,
    encoder_block,
    fc,
    flatten,
    gelu,
    global_avg_pool,
    graph,
    group_norm,
    gru,
    layer_norm,
    lstm,
    max_pool,
    multi_head_attention,
    ops,
    pad,
    relu,
    repeat,
    reshape,
    residual,
    rotary,
    sinusoidal_positions,
    softmax,
    spec,
    upsample,
)
from compose.core.errors import ConfigError
from compose.export import ExportError, to_litert
from compose.train import Trained

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported

IMAGE, SEQUENCE, IDS = (12, 12, 3), (7, 5), (9,)
FAMILIES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (compose_seq(fc(16, relu), batch_norm(), fc(3, softmax)), (8,)),
    "conv": (
        compose_seq(conv(8, 3, relu), batch_norm(), max_pool(2), conv(8, 3, stride=2), global_avg_pool, fc(4)), IMAGE,
    ),
    "pool": (compose_seq(conv(8, 3), max_pool(3, stride=2, padding="same"), avg_pool(2), flatten, fc(4)), IMAGE),
    "depthwise": (compose_seq(depthwise_conv(3, relu), conv(8, 1), depthwise_conv(3, stride=2), flatten, fc(4)), IMAGE),
    "transposed": (compose_seq(conv_transpose(8, 3, relu, stride=2), upsample(2), conv(1, 3)), IMAGE),
    "lstm": (compose_seq(embedding(20, 8), bidirectional(lstm(8)), fc(3)), IDS),
    "gru": (compose_seq(gru(8, output="last"), fc(3)), SEQUENCE),
    "attention": (compose_seq(fc(16), residual(multi_head_attention(4)), layer_norm(), fc(3)), SEQUENCE),
    "transformer": (
        compose_seq(embedding(20, 16), sinusoidal_positions(), repeat(2, encoder_block(4, 32)), layer_norm()), IDS,
    ),
    "rotary": (
        compose_seq(
            embedding(20, 16), residual(multi_head_attention(4, causal=True, rotary=rotary())), group_norm(4), gelu,
        ),
        IDS,
    ),
}  # fmt: skip


def made(name: str, **options: Any):
    net, shape = FAMILIES[name]
    params, state = net.init(0, spec(*shape, dtype=int if shape == IDS else None))
    return to_litert(net, params, state, examples(shape, 8), **options)


def examples(shape: tuple[int, ...], count: int) -> np.ndarray:
    noise = np.random.default_rng(0)
    if shape == IDS:
        return noise.integers(0, 20, (count, *shape)).astype(np.int32)
    return noise.normal(size=(count, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_for_any_batch_size(name: str):
    report = made(name).report
    assert report is not None and report.largest < 2e-6 and [row.batch for row in report.rows] == [1, 3, 8]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_smaller_files_lose_little(name: str):
    exact, half, weights = (made(name, batch=1, precision=p) for p in (None, "float16", "int8"))
    assert exact.report and half.report and weights.report
    assert half.report.largest < 5e-3 and weights.report.largest < 5e-2
    assert [row.batch for row in half.report.rows] == [1]


@pytest.mark.slow
def test_files_of_smaller_types_are_smaller():
    net = fc(256)
    params, state = net.init(0, spec(256))
    write = functools.partial(to_litert, net, params, state, examples((256,), 8))
    exact, half, weights = (len(write(precision=p).data) for p in (None, "float16", "int8"))
    assert half < 0.6 * exact and weights < 0.35 * exact


@pytest.mark.slow
def test_calibrated_integers():
    data = examples(IMAGE, 32)
    exact, small = made("conv"), made("conv", precision="int8", calibration=data)
    assert exact.report and small.report and exact.report.largest < 1e-6 < small.report.largest < 0.1
    with pytest.raises(ConfigError, match="int8"):
        made("conv", precision="float16", calibration=data)
    with pytest.raises(ExportError, match="calibration data for 1 input"):
        made("conv", batch=64, precision="int8", calibration=data)


@pytest.mark.slow
def test_what_cannot_be_calibrated_names_the_layer():
    with pytest.raises(ExportError, match=r"conv_transpose_0: .* LiteRT can say, got 'stablehlo.pad'"):
        made("transposed", batch=1, precision="int8", calibration=examples(IMAGE, 4))


@pytest.mark.slow
def test_a_crash_of_the_converter_is_an_error_and_the_next_export_runs():
    net = compose_seq(fc(4), reshape(2, 2), pad(((-1, 2),)))
    with pytest.raises(ExportError, match=r"pad_0: expected a layer that LiteRT can say, got a crash of .*: "):
        to_litert(net, *net.init(0, 3), spec(3))
    assert made("dense").report is not None


def test_trained_networks_export_by_the_ending(tmp_path: Path):
    net = compose_seq(fc(4, relu), fc(2))
    trained = Trained(net, *net.init(0, 3), (), spec(3))
    written = trained.export(tmp_path / "net.tflite")
    assert (tmp_path / "net.tflite").read_bytes() == written.data and str(written).startswith("LiteRT, float32")


ALONE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
run = Interpreter(sys.argv[1]).get_signature_runner("serving_default")
np.save(sys.argv[3], run(x0=np.load(sys.argv[2]), x1=np.load(sys.argv[2]))["y1"])
assert not {"compose", "jax", "tensorflow"} & set(sys.modules)
"""


@pytest.mark.slow
def test_runs_in_a_process_with_the_interpreter_alone(tmp_path: Path):
    net = graph(lambda x, c: (fc(3)(concat(x, c)), fc(2)(x)))
    params, state = net.init(0, 4, 4)
    x = examples((4,), 5)
    to_litert(net, params, state, (spec(4), spec(4)), tmp_path / "net.tflite", proof=False)
    np.save(tmp_path / "x.npy", x)
    files = [str(tmp_path / name) for name in ("net.tflite", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", ALONE, *files], check=True, cwd=tmp_path, env={})
    assert np.abs(np.load(files[2]) - net.apply(params, state, x, x)[0][1]).max() < 1e-5


@pytest.mark.slow
def test_what_cannot_be_said_names_the_path_and_the_expression():
    net = compose_seq(fc(6), compose_seq(relu, ops.sort, name="inner"))
    with pytest.raises(ExportError) as caught:
        to_litert(net, *net.init(0, 4), spec(4))
    assert str(caught.value).startswith("inner/sort_0: expected a layer that LiteRT can say")
    assert "ops.sort" in str(caught.value) and "batch=1" not in str(caught.value)


@pytest.mark.slow
def test_products_over_axes_in_another_order():
    """LiteRT's converter takes the axes of the second operand to be in the order of the first's."""
    net = einsum("bij,jik->bk", sizes=(4,))
    params, state = net.init(0, (2, 3))
    report = to_litert(net, params, state, examples((2, 3), 8)).report
    assert report is not None and report.largest < 1e-6


@pytest.mark.slow
def test_remainders_and_cube_roots_of_negative_numbers():
    """They have the sign of what is divided, and are no NaN."""
    net = graph(lambda x, y, i, j: (ops.cbrt(x), ops.fmod(x, y), ops.mod(x, y), ops.fmod(i, j), ops.mod(i, j)))
    x, y = (np.array([row], np.float32) for row in ([-7.5, 7.5, -0.5], [2, -2, -2]))
    i, j = (np.array([row], np.int32) for row in ([-7, 7, -6], [2, -2, -4]))
    report = to_litert(net, {}, {}, (x, y, i, j), batch=1).report
    assert report is not None and report.largest < 1e-6


@pytest.mark.slow
def test_what_needs_a_fixed_batch_size_says_so():
    net = compose_seq(fc(6), ops.argmax(axis=1))
    params, state = net.init(0, 4)
    with pytest.raises(ExportError, match="batch=1"):
        to_litert(net, params, state, spec(4))
    assert to_litert(net, params, state, spec(4), batch=2).report is not None


def test_float64_is_refused():
    with jax.enable_x64(True), pytest.raises(ExportError, match="float32, in which LiteRT computes"):
        to_litert(fc(2), *fc(2).init(0, np.ones((1, 3))), np.ones((1, 3)))
