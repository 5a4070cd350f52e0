"""Running the command line, and what the demo leaves."""

import os
import subprocess
import sys

import pytest

from compose.cli import main


@pytest.fixture(autouse=True)
def no_mnist_here(monkeypatch, tmp_path):
    monkeypatch.delenv("COMPOSE_DATA", raising=False)
    monkeypatch.setenv("COMPOSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs `compose ARGUMENTS`: its exit status, what it printed, and what it complained of."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["compose", *map(str, arguments)])
        with pytest.raises(SystemExit) as e:
            main()
        return e.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which the demo ran on the digits of scikit-learn, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {k: v for k, v in os.environ.items() if k != "COMPOSE_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", "from compose.cli import main; main()", "demo", "--out", folder, "--epochs", "15"],
        env={**environment, "COMPOSE_CACHE": str(folder / "none")}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout
