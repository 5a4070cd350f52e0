"""Printing: expressions are the shortest text, in lines of any width, and parse back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from compose import compose_seq, fc, named, normal, parse, relu, residual, softmax
from compose.core.printing import free_name, quoted, source
from tests.networks import SLOW, networks


@given(networks(), st.sampled_from([88, 40, 1]))
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_random_networks_print_and_parse(net, width):
    text = source(net, width)
    again = parse(text)
    assert again == net and hash(again) == hash(net)
    assert source(again, width) == text


def test_defaults_are_not_printed():
    assert str(fc(3, bias=True)) == "fc(3)"
    assert str(fc(3, softmax(axis=0), bias=False, name="a")) == 'fc(3, softmax(axis=0), bias=False, name="a")'
    assert repr(normal(stddev=0.02)) == "normal(stddev=0.02)"
    assert str(named("a", relu)) == 'relu(name="a")'


def test_a_long_call_has_one_line_per_argument():
    assert source(compose_seq(fc(3), residual(fc(3, relu))), width=30) == (
        "compose_seq(\n    fc(3),\n    residual(fc(3, relu)),\n)"
    )


def test_parentheses_only_where_precedence_requires_them():
    assert str(fc(1) * fc(2) + fc(3)) == "fc(1) * fc(2) + fc(3)"
    assert str((fc(1) + fc(2)) * fc(3)) == "(fc(1) + fc(2)) * fc(3)"


def test_strings_and_names():
    assert quoted("a") == '"a"'
    assert quoted('say "a"') == "'say \"a\"'"
    assert free_name("relu") == "relu_" and free_name("no_word") == "no_word"
