"""Limits that make no sense, and tokens."""

import pytest

from compose.core.errors import ConfigError
from compose.serve.options import TOKENS, Options, tokens_of_environment


@pytest.mark.parametrize("name", ["max_batch", "max_queue", "max_body", "max_connections", "body_timeout"])
def test_limits_are_positive(name):
    with pytest.raises(ConfigError, match=name):
        Options(**{name: 0})


def test_times_may_be_nothing_but_not_less():
    assert Options(max_delay=0, reload=0)
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="max_delay"):
            Options(max_delay=bad)


def test_tokens(monkeypatch):
    monkeypatch.delenv(TOKENS, raising=False)
    assert tokens_of_environment() == ()
    monkeypatch.setenv(TOKENS, "one, two,")
    assert tokens_of_environment() == ("one", "two")
    for nothing in ("", " , ", "a b", "ä"):
        monkeypatch.setenv(TOKENS, nothing)
        with pytest.raises(ConfigError, match=TOKENS):
            tokens_of_environment()


def test_all_bodies_have_room_for_one():
    with pytest.raises(ConfigError, match="max_bodies"):
        Options(max_body=1001, max_bodies=1000)
