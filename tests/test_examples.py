"""The examples run in a small form, and print what their docstrings say in form."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NUMBER = re.compile(r"\d[\d.,e+-]*")
SMALL = {
    "convolution": ["--data", "digits", "--epochs", "1"],
    "denoising": ["--epochs", "2", "--out", "."],
    "gan": ["--epochs", "1", "--out", "."],
    "iris": ["--epochs", "2"],
    "kfold": ["--epochs", "2", "--folds", "5"],
    "logistic": ["--epochs", "2", "--out", "."],
    "mnist": ["--data", "digits", "--epochs", "1"],
    "neighbours": ["--epochs", "1", "--out", "."],
    "overfitting": ["--epochs", "2", "--out", "."],
    "regression": ["--epochs", "2", "--out", "."],
    "search": ["--epochs", "1", "--trials", "1"],
    "siamese": ["--epochs", "1"],
    "text_classifier": ["--epochs", "1", "--sentences", "90"],
    "transfer": ["--epochs", "1"],
    "variational": ["--epochs", "1", "--out", "."],
}


def example(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said_by(module):
    """What its docstring says that an example prints."""
    return module.__doc__.rstrip().rsplit("\n\n", 1)[1]


def form(text):
    """The words of each line up to its first number, without those that are learned."""
    lines = (re.sub(" +", " ", line.strip()) for line in text.strip().splitlines())
    return [re.split(r"\d|:|\[|against benign", line)[0].strip() for line in lines]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "iris" else pytest.mark.slow) for name in SMALL]
)
def test_prints_what_its_docstring_says(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMPOSE_CACHE", str(tmp_path))
    monkeypatch.delenv("COMPOSE_DATA", raising=False)
    module = example(name)
    module.main(SMALL[name])
    printed = capsys.readouterr().out
    said = said_by(module)
    learned = {"iris": r"\w+ with", "text_classifier": r"(english|german|french)"}.get(name, "$^")
    wanted, got = ([re.sub(learned, "…", line) for line in form(text)] for text in (said, printed))
    assert got == wanted
    pictures = {word.strip(",") for word in module.__doc__.split() if word.strip(",").endswith(".png")}
    assert {path.name for path in tmp_path.iterdir() if path.suffix == ".png"} == pictures


@pytest.mark.slow
@pytest.mark.own_environment("flwr")
def test_federated_averaging():
    """In a process of its own: the simulation forks, and warns."""
    command = [sys.executable, EXAMPLES / "federated.py", "--rounds", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert form(done.stdout) == form(said_by(example("federated")))


def test_every_example_has_a_docstring_with_its_command():
    for path in EXAMPLES.glob("*.py"):
        assert f"python examples/{path.name}" in path.read_text().split('"""')[1], path
