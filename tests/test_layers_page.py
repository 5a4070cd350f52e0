"""The reference page is what the docstrings say, has every word, and names what the other frameworks have."""

from __future__ import annotations

import importlib
import re
from operator import attrgetter

import pytest

import compose
from compose.core.registry import words
from docs.make_layers import FRAMEWORKS, PAGE, page

ROOTS = {
    "Keras": ("keras", "keras.layers", "keras.activations", "keras.initializers"),
    "torch": ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.utils.parametrizations"),
    "Flax": ("flax", "flax.linen", "flax.nnx", "flax.linen.initializers", "flax.linen.activation"),
}


def rows() -> list[list[str]]:
    lines = [line for line in page().splitlines() if line.startswith("| `")]
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]


def test_the_page_is_what_the_docstrings_say():
    assert PAGE.read_text() == page(), "docs/layers.md is behind the docstrings: run python -m docs.make_layers"


def test_every_word_is_on_it():
    constants = page().partition("## constants")[2]
    shown = [re.match(r"`(\w+)", row[0])[1] for row in rows()] + re.findall(r"`(\w+)`", constants)  # pyright: ignore
    assert sorted(shown) == sorted(name for name in words() if hasattr(compose, name) or name in ("inf", "nan"))


def test_every_word_has_a_sentence_and_shapes():
    lacking = [row[0] for row in rows() if not (row[1] and row[2])]
    assert not lacking, "add a sentence and `Shapes:` to the docstrings of these"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_names_exist(framework):
    column = 3 + FRAMEWORKS.index(framework)
    roots = [importlib.import_module(root) for root in ROOTS[framework]]
    cells = [(row[0], name) for row in rows() for name in re.findall(r"`([^`]+)`", row[column])]
    unknown = [(word, name) for word, name in cells if not any(has(root, name) for root in roots)]
    assert not unknown, f"{framework} has no such names: set the docstrings right"
    assert len(cells) > 30


def has(root, name: str) -> bool:
    """Whether there is a `Conv1d` and a `Conv3d` for `Conv1d/2d/3d`, an `LSTM` for `LSTM(num_layers=2)`."""
    first, *sizes = name.partition("(")[0].split("/")
    stem = re.sub(r"\d[dD]$", "", first)
    try:
        return all(attrgetter(each)(root) is not None for each in [first, *(stem + size for size in sizes)])
    except AttributeError:
        return False
