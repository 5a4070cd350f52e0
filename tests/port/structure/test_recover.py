"""Graphs of layers become the expressions that people write."""

from __future__ import annotations

import pytest

from compose import (
    add,
    batch_norm,
    branch,
    compose_seq,
    concat,
    conv,
    dropout,
    fc,
    flatten,
    global_avg_pool,
    identity,
    multiply,
    parallel,
    relu,
    repeat,
    residual,
    sigmoid,
    tanh,
)  # fmt: skip
from compose.port.structure import recover
from tests.port.structure.build import Build, check, f64


@pytest.fixture(autouse=True)
def _double(x64):
    pass


def test_an_autoencoder_is_the_expression_of_the_readme():
    b = Build(f64(784))
    h = 0
    for name, size, act in (("e1", 250, relu), ("e2", 50, relu), ("d1", 250, relu), ("d2", 784, sigmoid)):
        h = b(act, b(fc(size), h, at=name, classes="Linear"))
    net = compose_seq(
        fc(250, relu, name="e1"), fc(50, relu, name="e2"), fc(250, relu, name="d1"), fc(784, sigmoid, name="d2")
    )
    made = check(b, h, net)
    assert str(made.weights[0]) == "e1.kernel → e1/kernel"


def block(b: Build, x: int, filters: int, at: str, down: bool = False) -> int:
    """A ResNet's basic block, with its modules' names."""
    classes = "Sequential.BasicBlock"
    h = b(conv(filters, 3, bias=False), x, at=f"{at}.conv1", classes=f"{classes}.Conv2d")
    h = b(batch_norm(), h, at=f"{at}.bn1", classes=f"{classes}.BatchNorm2d")
    h = b(relu, h, at=f"{at}.relu", classes=f"{classes}.ReLU")
    h = b(conv(filters, 3, bias=False), h, at=f"{at}.conv2", classes=f"{classes}.Conv2d")
    h = b(batch_norm(), h, at=f"{at}.bn2", classes=f"{classes}.BatchNorm2d")
    if down:
        x = b(conv(filters, 1, bias=False), x, at=f"{at}.downsample.0", classes=f"{classes}.Sequential.Conv2d")
        x = b(batch_norm(), x, at=f"{at}.downsample.1", classes=f"{classes}.Sequential.BatchNorm2d")
    h = b(add, h, x, at=at, classes=classes)
    return b(relu, h, at=f"{at}.relu", classes=f"{classes}.ReLU")


def basic(filters: int, shortcut=identity):
    body = compose_seq(conv(filters, 3, bias=False), batch_norm(), relu, conv(filters, 3, bias=False), batch_norm())
    return residual(body, shortcut) >> relu


def test_a_resnet_keeps_its_stages_and_its_blocks():
    b = Build(f64(4, 4, 3))
    h = b(conv(4, 3, bias=False), 0, at="conv1", classes="Conv2d")
    h = b(relu, b(batch_norm(), h, at="bn1", classes="BatchNorm2d"))
    h = block(b, block(b, h, 4, "layer1.0"), 4, "layer1.1")
    h = block(b, block(b, h, 6, "layer2.0", down=True), 6, "layer2.1")
    h = b(fc(5), b(flatten, h), at="fc", classes="Linear")
    down = conv(6, 1, bias=False) >> batch_norm()
    net = compose_seq(
        conv(4, 3, bias=False),
        batch_norm(),
        relu,
        compose_seq(basic(4), basic(4), name="layer1"),
        compose_seq(basic(6, down), basic(6), name="layer2"),
        flatten,
        fc(5),
    )
    made = check(b, h, net)
    assert made.words[basic(4)] == "basic_block"


def test_equal_blocks_become_a_repeat_with_stacked_weights():
    b = Build(f64(3, 3, 4))
    h = 0
    for i in range(4):
        h = block(b, h, 4, f"layer1.{i}")
    h = b(fc(2), b(flatten, h), at="head", classes="Linear")
    made = check(b, h)
    assert str(made.net).startswith("compose_seq(\n    repeat(\n        4,")
    assert 'name="layer1"' in str(made.net)
    assert any(str(r) == "layer1.3.conv2.kernel → layer1/residual_0/body/conv_1/kernel[3]" for r in made.weights)
    assert "repeat" not in str(check(b, h, repeats=False).net)


def test_blocks_whose_shapes_differ_are_not_repeated():
    b = Build(f64(3))
    h = 0
    for i in range(4):
        h = b(concat(), h, b(fc(2, tanh), h, at=f"f.{i}", classes="ModuleList.Linear"))
    assert "repeat" not in str(check(b, h).net)


def test_a_run_of_several_layers_repeats_as_one():
    b = Build(f64(3))
    h = 0
    for i in range(3):
        h = b(dropout(0.1), b(fc(3, tanh), h, at=f"f{i}", classes="Linear"))
    made = check(b, h)
    assert str(made.net) == "repeat(3, compose_seq(fc(3, tanh), dropout(0.1)))"


def test_a_flat_list_of_numbered_layers_repeats_with_its_activation_last():
    b = Build(f64(3))
    h = b(relu, b(fc(3), 0, at="stem"))
    h = b(fc(4, tanh), h, at="first")
    h = b(fc(3), b(relu, h))
    for i in range(4):
        h = b(add, b(fc(3), b(fc(6, tanh), h, at=f"block_{i}_expand"), at=f"block_{i}_project"), h)
        h = b(relu, h)
    block = compose_seq(residual(fc(6, tanh) >> fc(3)), relu)
    assert check(b, h).net.layers[-1] == repeat(4, block)


def test_a_growing_concatenation_nests():
    b = Build(f64(3))
    values = [0]
    for i in range(4):
        h = values[0] if i == 0 else b(concat(), *values, at=f"dense.layer{i}", classes="Dense.Layer")
        h = b(fc(2), b(tanh, h, at=f"dense.layer{i}.act", classes="Dense.Layer.Tanh"), at=f"dense.layer{i}.fc")
        values.append(b(sigmoid, h, at=f"dense.layer{i}.out", classes="Dense.Layer.Sigmoid"))
    h = b(concat(), *values, at="dense", classes="Dense")
    layer = branch(identity, compose_seq(tanh, fc(2, sigmoid)), join=concat())
    check(b, h, compose_seq(*[layer] * 4, name="dense").but(name=None))


def test_squeeze_and_excite_is_a_product():
    b = Build(f64(4))
    h = b(fc(4), b(tanh, 0))
    gate = b(sigmoid, b(fc(4), b(fc(2, relu), h)))
    net = compose_seq(tanh, fc(4), identity * compose_seq(fc(2, relu), fc(4, sigmoid)))
    check(b, b(multiply, h, gate), net)


def test_an_activation_that_others_need_stays_apart():
    b = Build(f64(3))
    h = b(fc(3), 0)
    check(b, b(multiply, b(tanh, h), h), compose_seq(fc(3), identity * tanh))


def test_the_rest_around_what_is_not_series_parallel_stays_structured():
    b = Build(f64(3))
    x = b(fc(3), b(tanh, b(fc(4), 0)))
    p, q = b(fc(3), x), b(fc(3, tanh), x)
    r = b(add, p, b(fc(3), q))
    h = b(fc(2), b(multiply, b(add, p, q), r))
    made = check(b, h)
    text = str(made.net)
    assert text.count("graph(") == 1 and made.net.layers[0] == fc(4, tanh) and made.net.layers[-1] == fc(2)


def test_several_inputs_are_prepared_and_joined():
    b = Build(f64(3), f64(2))
    h = b(fc(1), b(concat(), b(fc(4, relu), 0), 1))
    check(b, h, compose_seq(parallel(fc(4, relu), identity), concat(), fc(1)))


def test_inputs_that_meet_more_than_once_are_a_graph():
    b = Build(f64(3), f64(3))
    h = b(add, b(multiply, b(fc(3), 0), 1), 0)
    text = str(check(b, h).net)
    assert text == "graph(lambda x, y: fc(3)(x) * y + x)"


def test_several_outputs_are_a_branch():
    b = Build(f64(3))
    h = b(fc(4, relu), 0)
    net = compose_seq(fc(4, relu), branch(fc(2), compose_seq(fc(5, tanh), fc(1))))
    check(b, (b(fc(2), h), b(fc(1), b(tanh, b(dropout(0.0), b(fc(5), h))))), net)


def test_nested_outputs_are_a_branch_in_a_branch():
    b = Build(f64(3))
    h = b(fc(4, relu), 0)
    check(b, (b(fc(2), h), (h, b(fc(3), h))), compose_seq(fc(4, relu), branch(fc(2), branch(identity, fc(3)))))


def test_a_module_with_two_inputs_is_a_step_of_its_own():
    b = Build(f64(3), f64(3))
    x, y = 0, 1
    for i in range(2):
        at, classes = f"layers.{i}", "ModuleList.Decoder"
        h = b(fc(3, tanh), x, at=f"{at}.query", classes=f"{classes}.Linear")
        x = b(add, h, b(multiply, x, b(fc(3), y, at=f"{at}.key", classes=f"{classes}.Linear"), at=at), at=at)
    made = check(b, b(fc(2), x, at="out"))
    text = " ".join(str(made.net).split())
    assert text.count("graph( lambda") + text.count("graph(lambda") == 3
    assert made.words[made.net.layers[0].steps[0].layer] == "decoder"


@pytest.mark.parametrize(
    ("name", "label"),
    [("layer1", "layer1"), ("mixed_5b", "mixed_5b"), ("branch3x3_1", None), ("Conv2d_1a_3x3", None), ("conv_bn", None),
     ("stem-1", None), ("2", None), ("model", None)],
)  # fmt: skip
def test_a_module_s_name_stays_where_it_says_what_the_layers_do_not(name, label):
    b = Build(f64(3))
    classes = "Stem.Part.Linear"
    h = b(dropout(0.1), b(fc(3), 0, at=f"stem.{name}.a", classes=classes), at=f"stem.{name}.drop", classes=classes)
    h = b(fc(3), h, at=f"stem.{name}.b", classes=classes)
    h = b(fc(2), b(relu, b(dropout(0.1), h)), at="stem.last", classes="Stem.Linear")
    made = check(b, h)
    inside = [part.name for part in made.net.layers if isinstance(part, compose_seq)]
    assert inside == ([label] if label else [])


def test_what_does_nothing_or_can_be_said_shorter_goes():
    b = Build(f64(4, 4, 3))
    h = b(conv(5, 1, padding="valid"), b(dropout(0.0), b(concat(), 0)))
    h = b(flatten, b(global_avg_pool(keepdims=True), h))
    check(b, b(fc(2), h), compose_seq(conv(5, 1), global_avg_pool, fc(2)))


def test_operations_that_nothing_reads_go():
    b = Build(f64(3))
    b(fc(9), 0)
    graph = b.graph(b(fc(2), 0))
    assert recover(graph).net == fc(2)
