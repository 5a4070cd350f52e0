"""The module that is written: its text, names, weights, files, errors."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from compose import (
    batch_norm,
    branch,
    compose_seq,
    concat,
    conv,
    embedding,
    encoder_block,
    fc,
    flatten,
    float32,
    frozen,
    global_avg_pool,
    graph,
    lstm,
    max_pool,
    one_hot,
    ops,
    random_flip,
    relu,
    repeat,
    rescale,
    residual,
    share,
    softplus,
    spec,
    standardize,
)
from compose.core.errors import ConfigError
from compose.export import ExportError, to_torch
from compose.train import Trained

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

IMAGES = compose_seq(conv(4, 3, relu), batch_norm(), max_pool(2), flatten, fc(5, name="head"))


def written(net, *shape: int, dtype=None, **options):
    example = spec(*shape, dtype=dtype)
    params, state = net.init(0, example)
    return to_torch(net, params, state, example, **options)


def body(made) -> str:
    """The text without its head."""
    return made.source.partition('"""\n\n')[2]


def test_a_sequence_is_one():
    assert (
        body(written(compose_seq(fc(8, relu, name="e1"), fc(2)), 4))
        == """\
from collections import OrderedDict

from torch import nn


class Network(nn.Sequential):
    def __init__(self):
        super().__init__(OrderedDict(
            e1=nn.Linear(4, 8),
            relu=nn.ReLU(),
            fc_1=nn.Linear(8, 2),
        ))
"""
    )


@pytest.mark.slow
def test_images_have_channels_first_inside_and_flatten_in_their_order():
    assert (
        body(written(IMAGES, 4, 4, 3)).partition("def forward")[2]
        == """\
(self, x):
        x = F.relu(self.conv_0(x.permute(0, 3, 1, 2)))
        x = self.batch_norm_0(x)
        x = self.max_pool_0(x)
        x = x.permute(0, 2, 3, 1).flatten(1)
        return self.head(x)
"""
    )


@pytest.mark.slow
def test_blocks_of_a_repeat_are_one_class():
    made = written(compose_seq(fc(4), repeat(3, residual(fc(4, relu)))), 4)
    assert "nn.Sequential(*(Residual() for _ in range(3)))" in made.source
    assert "return F.relu(self.body(x)) + x" in made.source
    assert {f"repeat_0.{i}.body.weight" for i in range(3)} <= set(made.weights)


def test_a_repeat_of_several_values_is_a_loop():
    net = repeat(2, graph(lambda x, y: (fc(4)(x) + y, fc(4)(y))))
    params, state = net.init(0, 4, 4)
    made = to_torch(net, params, state, (spec(4), spec(4)))
    assert (
        body(made).partition("class Network")[2].partition("def forward")[2]
        == """\
(self, x0, x1):
        for block in self.repeat:
            x0, x1 = block(x0, x1)
        return (x0, x1)
"""
    )


@pytest.mark.slow
def test_layers_of_torch_are_used():
    net = compose_seq(embedding(20, 8), lstm(8), encoder_block(2, 16, dropout=0.1))
    source = written(net, 5, dtype=int).source
    for text in (
        "nn.Embedding(20, 8)", "nn.LSTM(8, 8, batch_first=True)", "nn.MultiheadAttention(8, 2, dropout=0.1",
        "nn.Dropout(0.1)", "nn.LayerNorm(8)",
    ):  # fmt: skip
        assert text in source
    assert "class EncoderBlock(nn.Module)" in source


@pytest.mark.slow
def test_a_shared_table_is_one_parameter():
    made = written(share(embedding(20, 8), lambda e: compose_seq(e, fc(8), e.attend)), 5, dtype=int)
    assert [name for name, t in made.weights.items() if 20 in t.shape] == ["embedding_0.weight"]
    assert "F.linear(" in made.source


@pytest.mark.slow
def test_layouts_meet_where_branches_do():
    net = compose_seq(branch(conv(2, 3), conv(3, 1), join=concat()), conv(2, 1, relu), global_avg_pool)
    source = written(net, 4, 4, 3).source
    assert "torch.cat([" in source and source.count("permute") == 2


def test_frozen_layers_get_no_gradient_and_augmentation_a_note():
    made = written(compose_seq(random_flip(), frozen(conv(2, 3)), global_avg_pool), 4, 4, 3)
    module = made.module()
    assert not any(p.requires_grad for p in module.parameters())
    assert "# random_flip() works in training alone; it is left out here." in made.source


@pytest.mark.slow
def test_what_differs_in_training_has_a_note():
    net = compose_seq(frozen(compose_seq(fc(4), batch_norm())), fc(2))
    assert "# Frozen layers stay in inference mode" in written(net, 3).source
    assert "# The dropout of lstm(2, dropout=0.5)" in written(lstm(2, dropout=0.5), 4, 3).source


def test_files_are_read_strictly(tmp_path: Path):
    from safetensors.torch import load_file

    params, state = IMAGES.init(0, (4, 4, 3))
    trained = Trained(IMAGES, params, state, (), spec(4, 4, 3))
    trained.export(tmp_path / "net.py", "torch")
    place = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    network = module.Network()
    network.load_state_dict(load_file(tmp_path / "net_weights.safetensors"), strict=True)
    x = np.random.default_rng(0).normal(size=(6, 4, 4, 3)).astype(np.float32)
    got = network.eval()(torch.tensor(x)).detach().numpy()
    assert np.abs(got - trained.predict(x)).max() < 1e-5
    assert "net_weights.safetensors" in (tmp_path / "net.py").read_text()
    assert "Input x: (batch, 4, 4, 3), float32." in (tmp_path / "net.py").read_text()


def test_the_text_needs_nothing_of_this_package():
    source = written(IMAGES, 4, 4, 3).source
    names = {n.names[0].name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import)}
    assert not any(name.startswith("compose") for name in names) and "import compose" not in source


def test_a_word_without_a_rule_names_the_path_and_the_expression():
    net = compose_seq(fc(3), compose_seq(relu, ops.betaln(b=2.0), name="inner"))
    with pytest.raises(ExportError) as caught:
        written(net, 4)
    assert str(caught.value).startswith("inner/betaln_0: expected a layer that PyTorch source can say")
    assert "ops.betaln" in str(caught.value) and "no rule" not in str(caught.value)


def test_an_export_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch):
    from compose.export.torch import registry

    registry.load()
    rule = registry.TABLE.rules[fc]
    halved = lambda w, layer, p, s, x: w.call(rule(w, layer, p, s, x), "{} * 0.5")
    monkeypatch.setitem(registry.TABLE.rules, fc, halved)
    with pytest.raises(ExportError, match="what the network does"):
        written(fc(3), 4)


def test_wrong_gradients_are_refused(monkeypatch: pytest.MonkeyPatch):
    from compose.export.torch import registry

    registry.load()
    rule = registry.TABLE.rules[fc]
    stopped = lambda w, layer, p, s, x: w.call(rule(w, layer, p, s, x), "{}.detach()")
    monkeypatch.setitem(registry.TABLE.rules, fc, stopped)
    with pytest.raises(ExportError, match=r"whose gradients are those of the network, got .* off in"):
        written(compose_seq(fc(3), fc(2)), 4)


def test_the_format_is_asked_for(tmp_path: Path):
    params, state = IMAGES.init(0, (4, 4, 3))
    with pytest.raises(ConfigError, match="a format, one of onnx, stablehlo, savedmodel, litert, torch, keras"):
        Trained(IMAGES, params, state, (), spec(4, 4, 3)).export(tmp_path / "net.py")


INTEGERS = {
    "bytes of an image": (compose_seq(rescale(1 / 255), conv(2, 3)), spec(5, 5, 3, dtype="uint8")),
    "converted": (compose_seq(ops.astype(dtype=float32), fc(2)), spec(4, dtype=bool)),
    "one-hot": (compose_seq(one_hot(size=4), flatten, fc(2)), spec(3, dtype=int)),
    "statistics": (graph(lambda x: (ops.mean(axis=1)(x), ops.std(axis=1)(x))), spec(4, dtype=int)),
    "normalised": (compose_seq(standardize(3.0, 2.0), fc(2)), spec(4, dtype=int)),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_become_floats_in_the_proof_too(name):
    net, x = INTEGERS[name]
    made = to_torch(net, *net.init(0, x), x)
    assert made.report is not None and made.report.largest < 1e-12
    assert torch.get_default_dtype() == torch.float32


def test_a_softplus_of_large_numbers_is_finite_in_float32():
    y = written(compose_seq(softplus, softplus(beta=2.0)), 1).module()(torch.tensor([[1e4]]))
    assert y.item() == 1e4


def test_the_largest_of_equal_numbers_come_in_their_order():
    x = torch.tensor([[1.0, 2.0, 2.0, 1.0, 2.0, 2.0]])
    values, places = written(ops.top_k(k=3), 6).module()(x)
    assert values.tolist() == [[2, 2, 2]] and places.tolist() == [[1, 2, 4]]
