"""The registry of names: registration, aliases and near misses."""

import jax
import pytest

import compose
from compose.core.errors import ConfigError, ParseError
from compose.core.registry import add_word, alias_of, known, word, words


def test_a_word_has_one_meaning():
    assert word("fc") is compose.fc and known("fc") and not known("no_such_word")
    with pytest.raises(ConfigError, match="a name that is free: 'fc' is registered already"):
        add_word("fc", compose.conv)
    with pytest.raises(ConfigError, match="a Python identifier other than a namespace, not 'a b'"):
        add_word("a b", compose.fc)


def test_a_definition_that_runs_again_replaces_itself():
    def define(by):
        def replaced_for_the_test(x):
            return by * x

        return compose.register(replaced_for_the_test)

    define(1)
    second = define(2)
    assert word("replaced_for_the_test") is second


def test_an_unknown_word_suggests_near_ones():
    with pytest.raises(ParseError, match="unknown name 'dropuot'; did you mean dropout"):
        word("dropuot")


def test_foreign_functions_have_a_meaning():
    assert alias_of(jax.nn.relu) == compose.relu
    assert alias_of(print) is None


def test_words_is_a_copy():
    words().clear()
    assert known("fc")
