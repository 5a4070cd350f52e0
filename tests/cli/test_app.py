"""The options of `compose` itself."""

import compose


def test_version(cli):
    assert cli("--version") == (0, f"compose {compose.__version__}\n", "")
