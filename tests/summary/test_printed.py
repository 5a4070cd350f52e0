"""Tables as text where rich would display them."""

import builtins
import sys
import types

import numpy as np
import pytest

from compose import compose_seq, fc, relu

NET = compose_seq(fc(3, relu), fc(2))


class ZMQInteractiveShell:
    """What rich takes for a notebook's shell."""

    config = types.SimpleNamespace()


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed in what rich takes for a notebook."""
    shown, display = [], types.ModuleType("IPython.display")
    display.display = shown.append
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_summary_is_text_in_a_notebook_too(displayed, monkeypatch):
    from rich.console import Console

    assert Console().is_jupyter
    monkeypatch.setenv("COLUMNS", "80")
    summary = NET.summary(4)
    assert str(summary) == repr(summary)
    assert "fc_0" in str(summary) and "parameters  23" in str(summary)
    assert displayed == []
    assert summary._repr_html_().count("<table") == 1


def test_a_profile_is_text_in_a_notebook_too(displayed):
    x = np.ones((2, 4), np.float32)
    params, state = NET.init(0, x)
    assert "fc_1" in str(NET.profile(params, state, x)) and displayed == []


def test_training_prints_lines_in_a_notebook(displayed, capsys):
    NET.fit(np.ones((4, 4), np.float32), np.ones((4, 2), np.float32), loss="mse")
    assert "epoch 1/1  loss" in capsys.readouterr().out and displayed == []
