"""The model that is written: names, batch, opset, precisions, errors."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

import compose
from compose import (
    batch_norm,
    bidirectional,
    clip,
    compose_seq,
    concat,
    conv,
    depthwise_conv,
    embedding,
    encoder_block,
    fc,
    flatten,
    global_avg_pool,
    graph,
    group_norm,
    lstm,
    masked,
    max_pool,
    ops,
    relu,
    repeat,
    residual,
    share,
    spec,
)
from compose.core.errors import ConfigError
from compose.export import ExportError, to_onnx
from compose.export.proof import examples_of
from compose.train import Trained

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

IMAGES = compose_seq(
    conv(8, 3, relu), batch_norm(), max_pool(2), depthwise_conv(3, relu), global_avg_pool(), fc(10, name="head")
)


def written(net, *shape: int, dtype=None, **options):
    example = spec(*shape, dtype=dtype)
    params, state = net.init(0, example)
    return to_onnx(net, params, state, example, **options)


def nodes(made) -> list[str]:
    return [node.op_type for node in made.model.graph.node]


def test_each_word_is_its_node_and_layouts_cancel():
    made = written(IMAGES, 8, 8, 3)
    assert nodes(made) == [
        "Transpose", "Conv", "Relu", "BatchNormalization", "MaxPool", "Conv", "Relu", "GlobalAveragePool", "Flatten",
        "Gemm",
    ]  # fmt: skip


def test_names_are_the_paths():
    graph_ = written(IMAGES, 8, 8, 3).model.graph
    assert "conv_0/activation/Relu" in [node.name for node in graph_.node]
    assert {"head/kernel", "head/bias", "batch_norm_0/var"} <= {tensor.name for tensor in graph_.initializer}
    assert len({node.name for node in graph_.node}) == len(graph_.node)
    assert compose.parse(graph_.doc_string) == IMAGES


def test_blocks_of_a_repeat_have_their_own_weights():
    made = written(repeat(3, residual(fc(4, relu))), 4)
    names = {tensor.name for tensor in made.model.graph.initializer}
    assert {f"{i}/body/kernel" for i in range(3)} <= names
    assert nodes(made) == ["Gemm", "Relu", "Add"] * 3


@pytest.mark.slow
def test_recurrent_layers_and_attention_are_one_node():
    net = compose_seq(embedding(20, 8), bidirectional(lstm(4)), encoder_block(2, 16))
    made = nodes(written(net, 5, dtype=int))
    assert made.count("LSTM") == 1 and made.count("Attention") == 1 and made.count("LayerNormalization") == 2


def test_a_shared_table_is_written_once():
    net = share(embedding(20, 8), lambda e: compose_seq(e, fc(8), e.attend))
    made = written(net, 5, dtype=int)
    tables = [tensor for tensor in made.model.graph.initializer if 20 in tensor.dims]
    assert [tensor.name for tensor in tables] == ["embedding_0/embedding"]


def test_several_inputs_and_outputs_by_name():
    net = graph(lambda x, c: (fc(3)(concat(x, c)), fc(2)(x)))
    params, state = net.init(0, 4, 5)
    made = to_onnx(net, params, state, (spec(4), spec(5)))
    assert [i.name for i in made.model.graph.input] == ["x0", "x1"]
    assert [o.name for o in made.model.graph.output] == ["y0", "y1"]
    assert all(i.type.tensor_type.shape.dim[0].dim_param == "batch" for i in made.model.graph.input)


def test_a_fixed_batch_and_another_opset():
    made = written(compose_seq(flatten, fc(3)), 2, 2, batch=4, opset=21)
    assert made.model.opset_import[0].version == 21
    assert made.model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 4
    assert made.report is not None and [row.batch for row in made.report.rows] == [4]
    with pytest.raises(ConfigError, match="an opset from 20"):
        written(fc(3), 2, opset=9)


def test_layers_that_know_the_mask_leave_padding_out():
    """The proof has padding of its own, which random numbers would never be."""
    net = masked(compose_seq(fc(3), conv(4, 3), group_norm(2), global_avg_pool, relu), value=-1.0)
    made = written(net, 5, 3)
    assert made.report is not None and made.report.largest < 1e-6
    (x,) = examples_of(net, (spec(5, 3),), 3)
    assert [int((row == -1).all(-1).sum()) for row in x] == [4, 3, 2]


def test_what_onnx_cannot_say_names_the_path_and_the_expression():
    net = compose_seq(fc(3), compose_seq(relu, ops.gammaln, name="inner"))
    with pytest.raises(ExportError) as caught:
        written(net, 4)
    assert str(caught.value).startswith("inner/gammaln_0: expected a layer that ONNX can say")
    assert "JAX's lgamma" in str(caught.value) and "ops.gammaln" in str(caught.value)


def test_an_export_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch):
    from compose.export.onnx import registry

    registry.load()
    rule = registry.WORDS[fc]
    halved = lambda writer, layer, p, s, x: writer.node("Mul", rule(writer, layer, p, s, x), np.float32(0.5))
    monkeypatch.setitem(registry.WORDS, fc, halved)
    with pytest.raises(ExportError, match="what the network does"):
        written(fc(3), 4)


@pytest.mark.slow
def test_half_precision_and_integers_lose_little():
    data = np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype(np.float32)
    exact, half = written(IMAGES, 8, 8, 3), written(IMAGES, 8, 8, 3, precision="float16")
    small = written(IMAGES, 8, 8, 3, precision="int8", calibration=data)
    assert half.model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert exact.report and half.report and small.report
    assert exact.report.largest < 1e-6 < half.report.largest < 3e-3 < 0.3 and small.report.largest < 0.1
    assert "QuantizeLinear" in nodes(small) and half.model.ByteSize() < exact.model.ByteSize()
    with pytest.raises(ConfigError, match="calibration"):
        written(IMAGES, 8, 8, 3, precision="int8")


def test_trained_networks_export_by_the_ending(tmp_path: Path):
    params, state = IMAGES.init(0, (8, 8, 3))
    trained = Trained(IMAGES, params, state, (), spec(8, 8, 3))
    made = trained.export(tmp_path / "net.onnx")
    read = onnx.load(tmp_path / "net.onnx")
    assert read == made.model and "largest error" in str(made)
    with pytest.raises(ConfigError, match="a format, one of onnx"):
        trained.export(tmp_path / "net.bin")


def test_the_arrays_of_the_network_are_left_alone():
    params, state = IMAGES.init(0, (8, 8, 3))
    before = jax.tree.map(np.array, params)
    to_onnx(IMAGES, params, state, spec(8, 8, 3), proof=False)
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(params)))


def test_the_first_of_truth_values_and_one_bound():
    """A bound that is not given is none, for infinity too."""
    import onnxruntime

    net = graph(lambda x: (ops.argmax(axis=1)(ops.greater(x, 0.0)), clip(min=0.0)(x)))
    made = to_onnx(net, {}, {}, spec(3))
    run = onnxruntime.InferenceSession(made.model.SerializeToString())
    place, y = run.run(None, {"x": np.array([[-1, 2, np.inf]], np.float32)})
    assert place.tolist() == [1] and y.tolist() == [[0, 2, np.inf]]


def test_the_magnitude_of_a_spectrum_and_what_else_is_complex():
    made = written(compose_seq(ops.rfft, ops.abs), 8)
    assert made.report is not None and made.report.largest < 1e-6
    with pytest.raises(ExportError, match=r"log_0: expected .*no complex ones"):
        written(compose_seq(ops.rfft, ops.log, ops.real), 8)
