"""`compose summary`, bad usage and help."""

import pytest

from compose import compose_seq, fc, spec
from tests.cli.small import floats, model


def test_summary_shows_the_network_and_its_training(cli, tmp_path):
    history = ({"epoch": 1.0, "loss": 2.0, "seconds": 9.0}, {"epoch": 2.0, "loss": 0.25, "seconds": 9.0})
    trained = model(tmp_path / "m", history=history)
    status, printed, _ = cli("summary", tmp_path / "m")
    assert status == 0
    assert str(trained.net) in printed
    assert "trained     2 epochs: loss 0.25\n" in printed
    assert [line.split()[-2] for line in printed.splitlines() if line.startswith("fc_1")] == ["18"]


def test_summary_of_integer_inputs(cli, tmp_path):
    model(tmp_path / "m", compose_seq(floats, fc(2)), spec(5, dtype="int32"))
    status, printed, _ = cli("summary", tmp_path / "m")
    assert status == 0 and "fc(2)" in printed


@pytest.mark.parametrize("command", ["summary", "predict"])
@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), (b"", "an empty file"), (b"x", "not a model")]
)
def test_what_is_no_model_file(cli, tmp_path, command, content, message):
    if content is not None:
        (tmp_path / "m").write_bytes(content)
    status, _, complaint = cli(command, tmp_path / "m", *(["x.npy"] if command == "predict" else []))
    assert status == 1
    assert complaint.startswith("compose: ") and complaint.count("\n") == 1 and message in complaint
