"""The code blocks of a page, run in order in one module, and what they print held against the page."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import textwrap
import types
from pathlib import Path

import numpy as np

from compose.core import registry
from compose.port.lowering import registry as rules

NUMBER = re.compile(r"\d+\.\d+(?:e[+-]\d+)?")


def run_blocks(page: Path, monkeypatch) -> int:
    """Run every python block; compare each text block with what the block before it printed; count those.

    The words and rules that a page adds are gone afterwards.
    """
    name = page.stem.lower()
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    try:
        return _run(page, module)
    finally:
        _forget(name)


def _run(page: Path, module: types.ModuleType) -> int:
    printed, checked, text = "", 0, page.read_text()
    for block in re.finditer(r"^ *```(python|text)\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        kind, code = block[1], textwrap.dedent(block[2])
        if kind == "python":
            lines = "\n" * text[: block.start(2)].count("\n")  # so that errors name the line of the page
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(lines + code, str(page), "exec"), vars(module))
            printed = out.getvalue()
        else:
            compare(printed, code)
            checked += 1
    return checked


def _forget(name: str) -> None:
    """Take out the words and rules that the page added."""
    own = lambda value: getattr(getattr(value, "fn", value), "__module__", "") == name
    for table in (registry._words, rules._custom):
        for key in [key for key, value in table.items() if own(value)]:
            del table[key]


def compare(printed: str, shown: str) -> None:
    """The same words; numbers as close as another machine's training brings them, errors of any rounding's size."""
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    ours, theirs = (np.array(NUMBER.findall(t), float) for t in (printed, shown))
    np.testing.assert_allclose(ours, theirs, atol=0.07)
