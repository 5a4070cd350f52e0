"""Names and versions on the command line."""

from pathlib import Path

import pytest

from compose.core.errors import ConfigError
from compose.serve.sources import Source, age, source, sources


def test_forms():
    assert source("digits=a/b.safetensors") == Source("digits", "1", Path("a/b.safetensors"))
    assert source("digits@2.1=a=b.safetensors") == Source("digits", "2.1", Path("a=b.safetensors"))
    assert source("a/net.safetensors") == Source("net", "1", Path("a/net.safetensors"))
    assert source("./a=b/net.safetensors") == Source("net", "1", Path("./a=b/net.safetensors"))


def test_what_is_no_name():
    with pytest.raises(ConfigError, match="NAME=FILE"):
        source("größe.safetensors")
    with pytest.raises(ConfigError, match="two of a@1"):
        sources(["a=x", "a@2=x", "a@1=y"])


def test_a_port_is_served_by_its_weights(tmp_path):
    assert Source("a", "1", tmp_path).file == tmp_path / "weights.safetensors"


def test_versions_sort_by_their_numbers():
    assert sorted(["10", "9", "2.10", "2.9", "v1", "1"], key=age) == ["v1", "1", "2.9", "2.10", "9", "10"]
