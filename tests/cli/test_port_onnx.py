"""`compose port onnx`."""

import json

import pytest

onnx = pytest.importorskip("onnx")

from tests.port.frontends.onnx.passes.test_norms import draw, node, written  # noqa: E402


def test_a_file_becomes_a_folder_with_its_proof(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(written([node("Gemm", "x w b", "h"), node("Tanh", "h")], {"w": draw(4, 5), "b": draw(5)}), "m.onnx")
    status, printed, said = cli("port", "onnx", "m.onnx", "-o", "made")
    assert status == 0 and "m: port proven equal at the level 'gradients'" in printed
    assert said.splitlines()[0] == "reading m.onnx" and "net = fc(5, tanh)" in (tmp_path / "made/model.py").read_text()
    assert json.loads((tmp_path / "made/report.json").read_text())["ok"]


def test_what_is_not_there_or_not_known_is_status_1(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, complaint = cli("port", "onnx", "none.onnx")
    assert status == 1 and complaint.endswith("compose: an ONNX file, got none.onnx, which is not there\n")
    onnx.save(written([node("GlobalLpPool", "x", "h"), node("NonZero", "h")]), "m.onnx")
    status, _, complaint = cli("port", "onnx", "m.onnx", "--check")
    assert status == 1 and "onnx.GlobalLpPool" in complaint and "onnx.NonZero" in complaint


def test_a_step_is_refused_with_what_is_possible(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(written([node("MatMul", "x w")], {"w": draw(4, 5)}), "m.onnx")
    status, _, complaint = cli("port", "onnx", "m.onnx", "--verify", "step")
    assert status == 1 and "the level 'gradients'" in complaint
