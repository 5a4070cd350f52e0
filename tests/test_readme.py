"""The README's code runs, in order, and prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"
NUMBER = re.compile(r"\d+\.\d+")


def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```(python|text|sh)\n(.*?)```", README.read_text(), re.DOTALL)
    readme = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", readme)
    scope = vars(readme)
    printed, checked = "", 0
    for kind, text in blocks:
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, "README.md", "exec"), scope)
            printed = out.getvalue()
        elif kind == "text":
            assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", text).split()
            ours, theirs = (np.array(NUMBER.findall(t), float) for t in (printed, text))
            np.testing.assert_allclose(ours, theirs, atol=0.07)
            checked += 1
    assert checked >= 6
