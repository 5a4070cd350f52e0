"""The Python file of a network: it builds an equal network, and reads as if a person had written it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import (
    avg_pool,
    batch_norm,
    branch,
    compose_seq,
    concat,
    conv,
    dropout,
    fc,
    flatten,
    global_avg_pool,
    graph,
    hard_sigmoid,
    hard_swish,
    identity,
    layer_norm,
    max_pool,
    multiply,
    register,
    relu,
    repeat,
    reshape,
    residual,
    share,
    sigmoid,
    softmax,
    tanh,
)  # fmt: skip
from compose.port.codegen.program import Helper, Program
from compose.port.codegen.source import source
from compose.port.codegen.terms import Term, read
from compose.port.structure import recover
from tests.port.structure.build import Build
from tests.port.structure.test_any_graph import WIDTH, any_graph, modules, series_parallel


@register
def clipped(x, high: float = 1.0):
    """The input, at most `high`."""
    return jax.numpy.minimum(x, high)


RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
norm = batch_norm(momentum=0.9, unbiased=True)


def rebuilt(net, **options) -> str:
    """The source, after it has built the network again."""
    text = source(net, **options)
    names: dict = {}
    exec(compile(text, "model.py", "exec"), names)
    assert names["net"] == net, text
    assert all(len(line) <= 100 for line in text.splitlines()), text
    return text


def accepted(text: str) -> None:
    """Ruff has nothing to change and nothing to say."""
    rules = ["--select", "E,F,W,I,B,UP,SIM", "--line-length", "100", "--target-version", "py311"]
    for command in (["format", "--diff", "--line-length", "100"], ["check", *rules]):
        ran = subprocess.run([RUFF, *command, "--isolated", "-"], input=text, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def lines(text: str) -> int:
    """Lines with something on them, imports apart."""
    body = text.split("\n\n", 1)[1]
    return sum(bool(line.strip()) for line in body.splitlines())


def basic_block(filters, stride=1, shortcut=identity):
    first, second = conv(filters, 3, stride=stride, padding=1, bias=False), conv(filters, 3, padding=1, bias=False)
    return residual(compose_seq(first, norm, relu, second, norm), shortcut) >> relu


def resnet18():
    stages = []
    for i, f in enumerate((64, 128, 256, 512)):
        down = conv(f, 1, stride=2, bias=False) >> norm
        stages.append(
            compose_seq(basic_block(f, 2, down) if i else basic_block(f), basic_block(f), name=f"layer{i + 1}")
        )
    stem = (conv(64, 7, stride=2, padding=3, bias=False), norm, relu, max_pool(3, stride=2, padding=1))
    return compose_seq(*stem, *stages, global_avg_pool, fc(1000))


def densenet():
    layers = compose_seq(norm, relu, conv(128, 1, bias=False), norm, relu, conv(32, 3, padding=1, bias=False))
    parts = [conv(64, 7, stride=2, padding=3, bias=False), norm, relu, max_pool(3, stride=2, padding=1)]
    for i, n in enumerate((6, 12, 24, 16)):
        parts += [compose_seq(*[branch(identity, layers, join=concat)] * n, name=f"block{i}")]
        parts += (
            [compose_seq(norm, relu, conv(64 * 2**i, 1, bias=False), avg_pool(), name=f"transition{i}")]
            if i < 3
            else []
        )
    return compose_seq(*parts, norm, relu, global_avg_pool, fc(1000))


def mobilenet():
    def block(hidden, squeeze, filters, stride=1):
        gate = compose_seq(global_avg_pool(keepdims=True), conv(squeeze, 1, relu), conv(hidden, 1, hard_sigmoid))
        depthwise = conv(hidden, 5, stride=stride, padding=2, groups=hidden, bias=False)
        first = compose_seq(conv(hidden, 1, bias=False), norm, hard_swish)
        last = conv(filters, 1, bias=False) >> norm
        return compose_seq(first, compose_seq(depthwise, norm, hard_swish), identity * gate, last)

    sizes = [(240, 64, 40), (240, 64, 40), (144, 40, 48), (576, 144, 96), (576, 144, 96)]
    head = compose_seq(fc(1024, hard_swish), dropout(0.2), fc(1000), name="classifier")
    down = [block(96, 24, 40, 2), block(120, 32, 48), block(288, 72, 96, 2)]
    return compose_seq(
        conv(16, 3, stride=2, padding=1), *down, *[residual(block(*s)) for s in sizes], global_avg_pool, head
    )


def vgg():
    layers: list = []
    for filters, n in ((64, 2), (128, 2), (256, 3), (512, 4)):
        layers += [layer for _ in range(n) for layer in (conv(filters, 3), batch_norm(), relu)] + [max_pool()]
    return compose_seq(*layers, flatten, fc(4096, relu), fc(10))


def transformer():
    mlp = compose_seq(layer_norm(), fc(64, tanh), dropout(0.1), fc(16))
    block = compose_seq(residual(compose_seq(layer_norm(), fc(16), dropout(0.1))), residual(mlp))
    return compose_seq(fc(16), repeat(12, block), layer_norm(), fc(3, softmax(axis=1)))


def wired():
    def cell(x, y):
        h = fc(32, relu, kernel_init="he_normal")(x)
        g = fc(32, sigmoid, name="gate")(h)
        return h * g + fc(32)(y), dropout(0.5)(g)

    return graph(cell)


NETS = {
    "one layer": fc(3),
    "a function": relu,
    "names": compose_seq(fc(250, relu, name="e 1"), fc(3, name='a "b"')),
    "sums": (fc(3) + fc(3, tanh) + identity) * sigmoid,
    "long sums": compose_seq(*[fc(100 + i, relu) for i in range(9)]) + compose_seq(*[fc(200 + i) for i in range(9)]),
    "a short graph": graph(lambda x, y: fc(3)(x) * y + x),
    "a graph": wired(),
    "graphs in a sequence": compose_seq(
        conv(3, 1), branch(graph(lambda x: fc(2)(x) - fc(2, tanh)(x)), relu, join=concat)
    ),
    "a share": share(fc(4), lambda e: compose_seq(e, tanh, e)),
    "a long share": share(fc(9), lambda e: compose_seq(*[fc(9 + i, relu) for i in range(9)], fc(9), e, tanh, e)),
    "a graph in a share": share(
        fc(9),
        lambda e: compose_seq(
            e, graph(lambda x: (h := compose_seq(fc(9), dropout(0.5), fc(9, tanh), e)(x)) * h + e(h))
        ),
    ),
    "nested sequences": compose_seq(fc(3) >> relu, compose_seq(fc(4), fc(5)), flatten >> relu),
    "resnet18": resnet18(),
    "densenet": densenet(),
    "mobilenet": mobilenet(),
    "transformer": transformer(),
    "vgg": vgg(),
}


@pytest.mark.parametrize("name", list(NETS))
def test_running_the_file_builds_the_network(name):
    accepted(rebuilt(NETS[name]))


def test_an_autoencoder_is_the_expression_itself():
    layers = (fc(250, relu, name="e1"), fc(50, relu, name="e2"), fc(250, relu, name="d1"), fc(784, sigmoid, name="d2"))
    assert rebuilt(compose_seq(*layers)).split("\n\n")[1] == (
        'net = compose_seq(\n    fc(250, relu, name="e1"),\n    fc(50, relu, name="e2"),\n'
        '    fc(250, relu, name="d1"),\n    fc(784, sigmoid, name="d2"),\n)\n'
    )


def test_a_resnet_is_as_short_as_a_person_writes_it():
    text = rebuilt(resnet18(), words={basic_block(f): "basic_block" for f in (64, 128, 256, 512)})
    assert lines(text) <= 20
    assert "norm = batch_norm(momentum=0.9, unbiased=True)" in text
    assert "def basic_block(filters, stride=1, shortcut=identity):" in text
    assert 'compose_seq(basic_block(64), basic_block(64), name="layer1"),' in text


def test_a_densenet_says_each_block_on_a_line():
    text = rebuilt(densenet())
    assert lines(text) <= 25
    assert '] * 24, name="block2"),' in text


def test_blocks_that_differ_in_numbers_are_calls_of_one_function():
    text = rebuilt(mobilenet())
    assert lines(text) <= 30
    assert text.count("hard_sigmoid") == 2  # imported, and in the one place where it is written


def test_groups_that_recur_in_a_sequence_are_put_into_it():
    text = rebuilt(vgg())
    assert "    *conv_norm_relu(64),\n    *conv_norm_relu(64),\n    max_pool()," in text
    assert "    *conv_norm_relu(512) * 4,\n" in text
    assert lines(text) <= 18


def inverted(filters, rate, kernel=3):
    body = compose_seq(conv(4 * filters, kernel, bias=False), norm, relu, conv(filters, 1, bias=False), norm)
    return residual(body >> dropout(rate)) if rate else body


def test_groups_are_not_unpacked_in_a_comprehension():
    sizes = (8, 16, 32, 64)
    rebuilt(compose_seq(*[part for n in sizes for part in (conv(n, 3), batch_norm(), relu)], flatten, fc(3)))


def test_a_rate_that_grows_with_the_depth_is_a_formula_and_its_blocks_a_loop():
    depths = {8: range(1, 5), 16: range(5, 12), 32: range(12, 16)}
    net = compose_seq(*[inverted(f, 0.3 * i / 17) for f, over in depths.items() for i in over], fc(3), dropout(0.2))
    text = rebuilt(net)
    accepted(text)
    assert "dropout(0.3 * depth / 17)" in text
    assert "(16, i)) for i in range(5, 12)],\n" in text
    assert lines(text) <= 25


def test_blocks_that_differ_in_one_number_are_a_loop():
    text = rebuilt(compose_seq(*[inverted(f, 0.0) for f in (8, 24, 16, 48)], fc(2)))
    accepted(text)
    assert "for filters in (8, 24, 16, 48)]" in text


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_rates_and_numbers_are_built_again(data):
    highest, steps = data.draw(st.sampled_from([0.1, 0.25, 0.4, 0.7])), data.draw(st.integers(3, 90))
    rates = [highest * i / steps for i in range(steps)] + [0.123456789, 0.2]
    numbers = st.sampled_from([8, 16, 24, 31])
    blocks = [
        inverted(data.draw(numbers), data.draw(st.sampled_from(rates)), data.draw(st.sampled_from([3, 5])))
        for _ in range(data.draw(st.integers(3, 12)))
    ]
    start = data.draw(st.integers(0, steps - 1))
    blocks += [inverted(64, rate) for rate in rates[start : start + 5]]
    long = [compose_seq(conv(n, 3, stride=2, padding=1, bias=False), norm, relu, fc(100)) for n in range(3, 3 + steps)]
    accepted(rebuilt(compose_seq(*blocks, *long, fc(3))))


def test_no_helper_for_what_is_short():
    text = rebuilt(compose_seq(fc(64, relu), dropout(0.5), fc(64, relu), dropout(0.5), fc(64, relu), fc(3)))
    assert "def " not in text and text.count("=") == 1


def test_own_words_come_from_their_module():
    text = rebuilt(fc(2, clipped(high=-float("inf"))))
    assert "from math import inf\n" in text and f"from {__name__} import clipped\n" in text


@pytest.fixture(scope="module", autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_was_recovered_is_built_again(data):
    b = Build(*[jax.ShapeDtypeStruct((2, WIDTH), np.float64)] * data.draw(st.integers(1, 2)))
    if len(b.specs) == 1 and data.draw(st.booleans()):
        output = series_parallel(data.draw, b, 0, 4)
    else:
        output = any_graph(data.draw, b)
    modules(data.draw, b)
    made = recover(b.graph(output), *[b.specs[v] for v in b.inputs])
    accepted(rebuilt(made.net, words=made.words))


def test_a_helper_is_called_as_the_source_calls_it():
    gate = identity * compose_seq(global_avg_pool(keepdims=True), conv(8, 1, relu), conv(64, 1, hard_sigmoid))
    net = compose_seq(*[compose_seq(conv(64, 3), gate, conv(64 + i, 3), multiply) for i in range(3)])
    text = rebuilt(net, words={gate: "squeeze_excitation"})
    assert "squeeze_excitation = " in text or "def squeeze_excitation(" in text


def test_names_of_the_source_that_python_has_taken():
    def block(n):
        return compose_seq(conv(n, 3, stride=2, padding=1, bias=False), norm, relu, conv(2 * n, 1, bias=False))

    def outer(n):
        return residual(compose_seq(block(n), dropout(0.5), conv(n, 1), batch_norm(), relu)) >> layer_norm(axes=3)

    net = compose_seq(*[block(n) for n in (8, 9, 10)], *[outer(n) for n in (8, 9, 10)])
    for said in ("lambda", "filters", "conv", "net", "name"):
        rebuilt(net, words={block(8): said, outer(8): "filters"})


def test_a_group_of_layers_that_most_sequences_are_made_of_is_one_everywhere():
    def cbr(*sizes, **options):
        return [layer for n, k in sizes for layer in (conv(n, k, bias=False, **options), norm, relu)]

    def mixed(n, k):
        ways = [cbr((64, 1)), cbr((n, 1), (n, k)), cbr((n, 1), (96, k), (n, 3)), [max_pool(3, stride=1), *cbr((n, 1))]]
        return branch(*[compose_seq(*way) for way in ways], join=concat)

    text = rebuilt(compose_seq(*cbr((32, 3), stride=2), *[mixed(n, k) for k in (3, 5) for n in (32, 48, 56)], fc(3)))
    accepted(text)
    assert text.count("norm, relu") <= 1 and "    *conv_norm_relu(32, 3, stride=2),\n" in text
    assert lines(text) <= 24


def test_what_is_written_once_has_a_name_without_numbers():
    shape = reshape(-1, 196, 384, batch=False)
    text = rebuilt(compose_seq(fc(3), shape, tanh, shape, relu, shape, sigmoid, fc(4), shape, softmax))
    assert "reshape_block = reshape(-1, 196, 384, batch=False)" in text


REPEATED = {
    "pairs": lambda n: [fc(n, relu), dropout(0.1)],
    "threes": lambda n: [conv(n, 3, bias=False), batch_norm(momentum=0.9), relu],
    "residual": lambda n: [residual(compose_seq(layer_norm(), fc(n, relu), fc(8)))],
    "with a pool": lambda n: [residual(compose_seq(conv(n, 3, relu), conv(8, 3))), max_pool(2)],
    "of a graph": lambda n: [graph(lambda x: (h := fc(n)(x)) + sigmoid(h)), relu],
    "of a share": lambda n: [share(fc(n), lambda e: compose_seq(e, relu, e)), fc(n, sigmoid)],
}
SIZES = [(8, 16, 32), (8, 9, 10, 11, 12), (8, 8, 16, 16, 32, 32), (4,) * 9, (8, 16) * 4, tuple(range(1, 11))]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", REPEATED)
def test_repeated_groups_are_read_by_the_oldest_python(name, sizes):
    net = compose_seq(*(part for n in sizes for part in REPEATED[name](n)))
    text, made = source(net), {}
    ast.parse(text, feature_version=(3, 11))
    exec(text, made)
    assert made["net"] == net


def test_a_text_that_the_oldest_python_cannot_read_is_written_plainly(monkeypatch):
    module = sys.modules["compose.port.codegen.source"]
    known = Program(read(relu), {"f": Helper("f", Term("atom", "*[*f(n) for n in (1, 2)]"), is_function=False)}, {})
    monkeypatch.setattr(module, "find_helpers", lambda term, words: known)
    assert source(compose_seq(fc(3, relu), fc(2))).endswith("net = fc(3, relu) >> fc(2)\n")
