"""`compose serve`: what it refuses before it listens."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")

from compose import compose_seq, fc
from tests.serve.models import trained


def test_files_and_names_are_checked_before_it_listens(cli, tmp_path):
    file = tmp_path / "net.safetensors"
    status, _, error = cli("serve", file)
    assert status == 1 and "net.safetensors: cannot be read" in error and error.count("\n") == 1
    file.write_bytes(b"nothing")
    assert "not a model file" in cli("serve", f"net={file}")[2]
    trained(compose_seq(fc(2)), 3).save(file)
    assert "two of net@1" in cli("serve", file, file)[2]
    assert cli("serve", file, "--port", 70000)[0] == 2
    assert "both a certificate and its key" in cli("serve", file, "--cert", file)[2]


def test_empty_tokens_are_no_permission(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("COMPOSE_SERVE_TOKENS", "")
    status, _, error = cli("serve", tmp_path / "net.safetensors")
    assert status == 1 and "COMPOSE_SERVE_TOKENS" in error


def test_a_missing_package_is_named_with_its_extra(cli, tmp_path, monkeypatch):
    import importlib.util
    import sys

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "uvicorn" else real(name, *a))
    for name in [name for name in sys.modules if name.startswith("compose.serve")]:
        monkeypatch.delitem(sys.modules, name)
    status, _, error = cli("serve", tmp_path / "net.safetensors")
    assert status == 1 and "uvicorn: pip install 'compose-jax[serve]'" in error
