"""Hooks: filled when modules are imported, or by a loader on first use."""

import pytest

from compose.core.hooks import Hooks, hooks


def test_a_loader_runs_once_on_first_use():
    calls = []

    def load():
        calls.append(1)
        return len

    table = Hooks()
    table.later(fit=load)
    assert calls == []
    assert table.fit("abc") == 3 and table.fit is len
    assert calls == [1]


def test_an_empty_hook_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match="no module has filled the hook 'source'"):
        Hooks().source


def test_importing_compose_fills_every_hook():
    assert all(callable(getattr(hooks, name)) for name in Hooks.__annotations__)
