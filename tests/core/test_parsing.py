"""Parsing: what was printed is read back, and every other text is an error, raised fast and without running it."""

import builtins
import os

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import parse
from compose.core.errors import ConfigError, ParseError
from compose.core.registry import words
from tests.cases.subject import families
from tests.networks import EXAMPLE, SLOW, keeping

ESCAPES = [
    "__import__('os').system('true')",
    "fc(__import__('os'))",
    "fc.__class__",
    "fc(3).__class__",
    "relu.fn",
    "fc(3).init",
    "share(fc(3), lambda e: e.__class__)",
    "share(fc(3), lambda e: e.fit)",
    "share(fc(3), lambda e: e.init)",
    "share(fc(3), lambda e: e.attend.attend)",
    "eval('1')",
    "open('/etc/passwd')",
    "exec",
    "compose.fc(3)",
    "jax.nn.relu",
    "ops",
    "ops.nothing",
    "ops.__class__",
    "ops.sum.fn",
    "ops.sum(axis=fc)",
    "ops.sum(axis=lambda x: x)",
    "ops.registered.jax",
    "graph(lambda ops: ops.sum(ops))",
    "print(3)",
    "(lambda f: f(f))(lambda f: f(f))",
    "(lambda x: x)(fc(3))",
    "lambda x: x",
    "residual(lambda x: x)",
    "fc(3, lambda x: x)",
    "graph(lambda x: (lambda y: y)(x))",
    "graph(lambda x=fc(3): x)",
    "graph(lambda *x: x[0])",
    "graph(lambda **x: x)",
    "graph(lambda x, /: x)",
    "graph(lambda x, *, y: x)",
    "graph(lambda x, x: x)",
    "graph(lambda: 3)",
    "graph(lambda x: 3)",
    "graph(fc)",
    "graph(relu)",
    "graph(3)",
    "graph((1, 'ab', 0))",
    "graph((1, (), 7))",
    "graph((1, (), -1))",
    "[fc(3) for x in relu]",
    "[x for x in (fc(3),)][0]",
    "{fc(3): relu}",
    "{relu}",
    "fc(3) if relu else fc(4)",
    "fc(3) and fc(4)",
    "not fc(3)",
    "fc(3) < fc(4)",
    "~fc(3)",
    "-fc(3)",
    "fc(3) ** 2",
    "fc(9 ** 9 ** 9)",
    "fc(2 * 3)",
    "'a' * 999999999",
    "fc('a' + 'b')",
    "f'{fc(3)}'",
    "f'{open}'",
    "b'fc'",
    "fc(3j)",
    "(x := fc(3))",
    "compose_seq((x := fc(3)), x)",
    "share(fc(3), lambda e: (a := e + e, b := a + a, b)[-1])",
    "graph(lambda x: (a := (x, x), b := (a, a), x)[-1])",
    "graph(lambda x: (relu := fc(3), relu(x))[-1])",
    "await fc(3)",
    "yield fc(3)",
    "*fc(3)",
    "compose_seq(*relu)",
    "fc(**relu)",
    "fc(3, size=4)",
    "fc(size=3, size=4)",
    "fc(3)(4)",
    "relu(3)",
    "relu((1, 2))",
    "relu([1.0, 2.0])",
    "identity((99999, 99999))",
    "fc(3)(x=4)",
    "fc(3)()",
    "graph(lambda x: relu(x, axis=1))",
    "graph(lambda x: relu(3))",
    "graph(lambda x: relu(relu))",
    "graph(lambda x: x['a'])",
    "graph(lambda x: x[fc(3)])",
    "graph(lambda x: x.shape)",
    "graph(lambda x: x if x else x)",
    "graph(lambda x: [y for y in x])",
    "fc",
    "zeros",
    "normal(stddev=0.1)",
    "compose_seq(zeros)",
    "bfloat16",
    "bfloat16(3)",
    "float32([1, 2])",
    "int8(300)",
    "fc(3, bfloat16)",
    "named",
    "named('a')",
    "named('a', lambda x: x)",
    "3",
    "None",
    "...",
    "inf",
    "()",
    "(fc(3),)",
    "fc(3)[0]",
    "compose_seq(fc(3), relu)[0]",
    "fc(3); fc(4)",
    "x = fc(3)",
    "import os",
    "fc(3) # \n + import os",
    "",
    " \n ",
    "fc(3",
    "fc(3))",
    "fc(\x00)",
    "fc(3)\x00",
    "\ud800",
    "fс(3)",  # a Cyrillic es
    "ｆc(3)",  # a full-width f, which Python reads as f
    "fc(３)",
    "fc(3)​",
    "rеlu",
    "fc(1e999)",
    "fc(-3)",
    "fc(True)",
    "fc(" + "9" * 5000 + ")",
    "conv(3, 3, groups=0)",
    "conv(3, 'same')",
    "reshape(-1, -1)",
    "softmax(axis={})",
    "cast(fc(3), 'float99')",
    "repeat(-1, relu)",
    "at('__import__')",
    "at('0 for x in y')",
    "einsum('')",
    "einsum('a,b')",
]
FLOODS = {
    "sum": "relu" + " + relu" * 100_000,
    "deep sum": "relu + (" * 150_000 + "relu" + ")" * 150_000,
    "parentheses": "(" * 400_000 + ")" * 400_000,
    "minus": "-" * 900_000 + "1",
    "not": "not " * 200_000 + "relu",
    "attributes": "a" + ".a" * 400_000,
    "calls": "relu" + "()" * 400_000,
    "nested": "residual(" * 5_000 + "relu" + ")" * 5_000,
    "repeats": "repeat(9, " * 5_000 + "relu" + ")" * 5_000,
    "lambdas": "lambda x: " * 90_000 + "x",
    "shares": "share(relu, lambda e: " * 4_000 + "e" + ")" * 4_000,
    "indices": "graph(lambda x: x" + "[0]" * 300_000 + ")",
    "lists": "[" * 500_000,
    "name": "a" * 900_000,
    "string": "fc('" + "a" * 900_000 + "')",
    "unfinished": "fc('" + "\\" * 900_001,
    "number": "fc(" + "1" * 900_000 + ")",
    "too long": "relu" + " " * 1_000_000 + "x",
}


@pytest.fixture
def nothing_runs(monkeypatch):
    """Fails the test where text reaches what it must not."""

    def refuse(*args, **kwargs):
        raise AssertionError("text was executed")

    monkeypatch.setattr(os, "system", refuse)
    for name in ("eval", "exec", "open", "print", "input", "breakpoint"):
        monkeypatch.setattr(builtins, name, refuse)


@pytest.mark.parametrize("text", ESCAPES)
def test_is_refused(text, nothing_runs):
    with pytest.raises((ParseError, ConfigError)) as e:
        parse(text)
    assert len(str(e.value)) < 1_000


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS)
def test_floods_are_refused(text):
    with pytest.raises((ParseError, ConfigError)) as e:
        parse(text)
    assert len(str(e.value)) < 1_000


@pytest.mark.parametrize("value", [None, b"relu", 3, ["relu"]])
def test_only_text_is_read(value):
    with pytest.raises(ParseError, match="an expression is a string, not a"):
        parse(value)


@pytest.mark.parametrize(
    "text,near", [("dropuot(0.5)", "dropout"), ("Relu", "relu"), ("fc(3, kernel_init=he_norm)", "he_normal")]
)
def test_an_unknown_name_suggests_near_ones(text, near):
    with pytest.raises(ParseError, match=f"did you mean .*{near}"):
        parse(text)


TEXTS = [str(case.layer) for cases in families().values() for case in cases] + ESCAPES
WORDS = sorted(words())
SIGNS = """( ) [ ] { } , . : := = + - * / @ >> ** ~ lambda x e ' " # \\ -1 0 3 1e9 0.5 None True ... _"""
PIECES = st.one_of(st.sampled_from(WORDS), st.sampled_from([*SIGNS.split(), "\n"]), st.text(max_size=3))
VALUES = [
    "3", "-1", "0", "0.5", "None", "True", "'a'", "relu", "fc", "fc(3)", "zeros", "(1, 2)", "()", "inf", "nan",
    "bfloat16", "...", "1e300", "{}", "ops", "ops.sum", "axis=1", "y=0.5",
]  # fmt: skip


@pytest.mark.slow
@given(st.data())
@settings(max_examples=400, deadline=None)
def test_mutated_expressions_fail_only_by_our_errors(data):
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + data.draw(PIECES) + text[stop:]
    _parses_or_refuses(text)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_random_text_fails_only_by_our_errors(text):
    _parses_or_refuses(text)


@given(st.sampled_from(WORDS), st.lists(st.sampled_from(VALUES), max_size=4))
@settings(max_examples=500, deadline=None)
def test_any_arguments_fail_only_by_our_errors(word, args):
    _parses_or_refuses(f"{word}({', '.join(args)})")


def _parses_or_refuses(text: str) -> None:
    try:
        net = parse(text)
    except (ParseError, ConfigError):
        return
    assert parse(str(net)) == net and hash(net) == hash(parse(str(net)))


@pytest.mark.slow
@given(keeping())
@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
def test_the_parsed_network_computes_the_same_bits(net):
    again = parse(str(net))
    weights, same = net.init(0, EXAMPLE), again.init(0, EXAMPLE)
    outs = [n.apply(*weights, EXAMPLE, rng=1, train=True) for n in (net, again)]
    for a, b in [(weights, same), outs]:
        assert jax.tree.structure(a) == jax.tree.structure(b)
        assert all(map(jnp.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))
