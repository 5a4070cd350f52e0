"""The options of `compose` itself, bad usage and help."""

import pytest

import compose


def test_version(cli):
    assert cli("--version") == (0, f"compose {compose.__version__}\n", "")


@pytest.mark.parametrize("arguments", [("fly",), ("summary",), ("predict", "m"), ("demo", "--epochs", "0")])
def test_bad_usage_is_status_2(cli, arguments):
    status, printed, complaint = cli(*arguments)
    assert (status, printed) == (2, "")
    assert "Usage: compose" in complaint and "Traceback" not in complaint


def test_help_names_the_commands(cli):
    status, printed, _ = cli("--help")
    assert status == 0
    assert all(word in printed for word in ("demo", "summary", "predict"))
