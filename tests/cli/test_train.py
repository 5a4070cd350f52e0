"""`compose train`, `evaluate`, `lr-find`, `plot`, `report` and `verify`, and the examples of all `--help`s."""

import os
import re
import shlex

import numpy as np
import pytest
import typer

from compose import compose_seq, data, fc, load, parse, softmax
from compose.cli.app import app
from tests.cli.small import model

NET = "compose_seq(flatten, fc(8, relu), fc(10, softmax))"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def flowers(tmp_path):
    iris = data.iris()
    rows = [f"{','.join(map(str, x))},{iris.names[y]}" for x, y in zip(iris.x, iris.y)]
    (tmp_path / "flowers.csv").write_text("\n".join(["a,b,c,d,species", *rows]) + "\n")
    return "flowers.csv"


def test_train_evaluate_and_look(cli, tmp_path):
    status, printed, complaint = cli("train", NET, "--data", "digits", "--epochs", "2", "--learning-rate", "0.01")
    assert (status, complaint) == (0, "")
    assert printed.startswith("digits: 1437 examples, 360 for validation; loss cross_entropy\n")
    assert printed.endswith("wrote model.safetensors\n")
    trained, test = load("model.safetensors"), data.digits().split().test
    assert trained.net == parse(NET) and len(trained.history) == 2

    status, printed, _ = cli("evaluate", "model.safetensors", "--data", "digits", "--metric", "accuracy")
    right = float((np.argmax(trained.predict(test.x), 1) == test.y).mean())
    assert status == 0 and float(re.search(r"accuracy +(\S+)", printed)[1]) == pytest.approx(right, abs=1e-5)
    assert "360 examples" in printed
    assert trained.history[-1]["val_accuracy"] == pytest.approx(right)

    assert cli("plot", "model.safetensors", "-o", "h.svg") == (0, "wrote h.svg\n", "")
    assert cli("report", "model.safetensors", "--data", "digits")[:2] == (0, "wrote report.html\n")
    assert "<svg" in (tmp_path / "h.svg").read_text() and "Worst predictions" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_training_goes_on_from_a_file_with_the_optimizer(cli, tmp_path):
    options = ("--data", "digits", "--batch-size", "300")
    cli("train", NET, *options, "--epochs", "2", "-o", "two.safetensors")
    cli("train", NET, *options, "--epochs", "1", "--devices", "1", "--sharding", "fsdp", "-o", "one.safetensors")
    status, printed, complaint = cli("train", "one.safetensors", *options, "--epochs", "1", "-o", "again.safetensors")
    assert (status, complaint) == (0, "") and "epoch 2/2" in printed
    a, b = load("two.safetensors"), load("again.safetensors")
    np.testing.assert_array_equal(a.params["fc_0"]["kernel"], b.params["fc_0"]["kernel"])


@pytest.mark.slow
def test_a_table_with_words_as_its_target(cli, flowers, tmp_path):
    (tmp_path / "net.txt").write_text("compose_seq(fc(8, relu), fc(3, softmax))\n")
    status, printed, _ = cli("train", "net.txt", "--data", flowers, "--target", "species", "--epochs", "30")
    assert status == 0 and "flowers.csv: 120 examples, 30 for validation; loss cross_entropy" in printed
    assert load("model.safetensors").history[-1]["accuracy"] > 0.6
    assert load("model.safetensors").names.classes == ("setosa", "versicolor", "virginica")
    cli("report", "model.safetensors", "--data", flowers)
    assert {*cli("predict", "model.safetensors", flowers, "--label")[1].split()} <= {
        "setosa",
        "versicolor",
        "virginica",
    }
    assert "cross_entropy" not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_typed_columns_from_training_to_prediction(cli, tmp_path):
    rows = [f"{a},{t},{1000 * a + 5000 * (t == 'Ulm')}" for a in range(50, 90) for t in ("Bonn", "Ulm")]
    (tmp_path / "houses.csv").write_text("\n".join(["area,town,price", *rows]) + "\n")
    options = ("--epochs", "200", "--learning-rate", "0.05")
    status, printed, _ = cli("train", "fc(1)", "--data", "houses.csv", "--target", "price", *options)
    assert status == 0 and "64 examples, 16 for validation; loss mse" in printed
    trained = load("model.safetensors")
    assert "multi_hot(size=2)" in str(trained.net) and trained.history[-1]["val_rmse"] < 500
    (tmp_path / "new.csv").write_text("town,area\nUlm,60\nBonn,60\n")
    status, printed, _ = cli("predict", "model.safetensors", "new.csv")
    assert [float(row) for row in printed.split()] == pytest.approx([65_000, 60_000], rel=0.02)
    assert "rmse" in cli("evaluate", "model.safetensors", "--data", "houses.csv")[1]
    assert cli("report", "model.safetensors", "--data", "houses.csv")[0] == 0
    assert cli("train", "model.safetensors", "--data", "houses.csv", "--epochs", "1", "-o", "more.safetensors")[0] == 0
    assert len(load("more.safetensors").history) == 201
    assert "no column 'price', the target" in cli("evaluate", "model.safetensors", "--data", "new.csv")[2]


@pytest.mark.slow
def test_numbers_are_regressed_and_0_and_1_decided(cli, flowers, tmp_path):
    (tmp_path / "n.csv").write_text("x,y,b\n" + "\n".join(f"{i / 10},{2 * i / 10 + 1},{i % 2}" for i in range(40)))
    _, printed, _ = cli("train", "fc(1)", "--data", "n.csv", "--target", "y", "--validation", "0", "--epochs", "1")
    assert "40 examples, 0 for validation; loss mse" in printed
    _, printed, _ = cli("train", "fc(1, sigmoid)", "--data", "n.csv", "--epochs", "1")
    assert "32 examples, 8 for validation; loss binary_cross_entropy" in printed
    np.savez(tmp_path / "d.npz", x=np.ones((9, 3), np.float32), y=np.ones((9, 2), np.float32))
    _, printed, _ = cli("train", "fc(2)", "--data", "d.npz", "--validation", "0", "--epochs", "1", "--loss", "mae")
    assert "loss mae" in printed


@pytest.mark.slow
def test_lr_find(cli, tmp_path):
    status, printed, _ = cli("lr-find", NET, "--data", "digits", "--steps", "12", "-o", "lr.png")
    assert status == 0 and re.fullmatch(r"learning rate \S+\nwrote lr.png\n", printed)
    assert (tmp_path / "lr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("network", "source", "message"),
    [
        ("fc(3", "digits", "not an expression"),
        ("__import__('os').getcwd()", "digits", "unknown name '__import__'"),
        ("(lambda: 1)()", "digits", "lambda"),
        ("gone.safetensors", "digits", "gone.safetensors: no such file"),
        ("fc(3)", "gone.csv", "gone.csv: no such file"),
        ("fc(3)", "tigers", "tigers: expected mnist, fashion-mnist, digits, iris, a .csv table"),
        ("compose_seq(conv(3, 3))", "digits", "a network whose output is one vector; for (8, 8, 1) it is (8, 8, 3)"),
        ("compose_seq(flatten, fc(4))", "digits", "the network has 4 outputs, so labels must be 0..3"),
        ("fc(1)", "t.csv:r", "t.csv: no column 'r'; it has p, q"),
        ("fc(1)", "hole.csv", "hole.csv: line 3 has nothing in the column 'p'; expected a number"),
        ("fc(1)", "uneven.csv", "uneven.csv: line 3 does not have 2 cells"),
        ("fc(1)", "bare.csv", "expected the names of the columns in the first line"),
        ("fc(1)", "empty.csv", "it has 0 rows"),
        ("fc(1)", "bad.npz", "bad.npz: expected arrays x and y"),
    ],
)
def test_what_cannot_be_trained_is_one_line(cli, tmp_path, network, source, message):
    (tmp_path / "t.csv").write_text("p,q\n1,2\n3,4\n")
    (tmp_path / "hole.csv").write_text("p,q\n1,2\n,4\n")
    (tmp_path / "uneven.csv").write_text("p,q\n1,2\n3\n")
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bad.npz").write_bytes(b"PK")
    source, _, target = source.partition(":")
    status, _, complaint = cli("train", network, "--data", source, *(["--target", target] if target else []))
    assert status == 1 and message in complaint
    assert complaint.startswith("compose: ") and complaint.count("\n") == 1
    assert not (tmp_path / "model.safetensors").exists()


def test_files_that_cannot_be_written_are_named_as_given(cli, tmp_path):
    model("m.safetensors", compose_seq(fc(3, softmax)), history=({"epoch": 1.0, "seconds": 1.0, "loss": 2.0},))
    assert cli("plot", "m.safetensors", "-o", "nodir/h.png")[2] == "compose: nodir/h.png: No such file or directory\n"
    np.save(tmp_path / "x.npy", np.ones((2, 4), np.float32))
    status, _, complaint = cli("predict", "m.safetensors", "x.npy", "--out", "nodir/y.csv")
    assert (status, complaint) == (1, "compose: nodir/y.csv: No such file or directory\n")
    assert cli("train", "fc(3)", "--data", "iris", "-o", "nodir/m.safetensors")[2].startswith("compose: nodir/m.safe")


def commands():
    """Every command with the example of its `--help`."""
    group = typer.main.get_command(app)
    ported = group.commands["port"].commands
    every = {name: command for name, command in group.commands.items() if name != "port"}
    return every | {f"port {name}": command for name, command in ported.items()}


def example(command) -> list[str]:
    return shlex.split(command.epilog.removeprefix("Example: compose "))


def test_every_help_has_an_example(cli):
    for name, command in commands().items():
        assert command.epilog.startswith(f"Example: compose {name} "), name
        status, printed, _ = cli(*name.split(), "--help")
        words = " ".join(printed.replace("'", "").split())
        assert status == 0 and f"Example: compose {name} {example(command)[len(name.split())][:8]}" in words


@pytest.mark.slow
def test_the_examples_run(cli, tmp_path):
    found = commands()
    for name in ("train", "evaluate", "lr-find", "plot", "report", "summary", "predict"):
        if name == "predict":
            np.save(tmp_path / "examples.npy", data.digits().x[:5])
        status, _, complaint = cli(*example(found[name]))
        assert (status, complaint) == (0, ""), name
    assert {"model.safetensors", "lr.png", "history.png", "report.html"} <= set(os.listdir())


@pytest.mark.slow
def test_the_examples_of_ports_run(cli, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "models.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(4, 3)\n")
    found = commands()
    assert cli(*example(found["port torch"]))[0] == 0
    status, printed, complaint = cli(*example(found["verify"]))
    assert (status, complaint) == (0, "") and printed.startswith("ported: 1 outputs and 2 gradients equal the source's")
    golden = dict(np.load(tmp_path / "ported/golden.npz"))
    golden["output 0"] = golden["output 0"] + 1e-6
    np.savez(tmp_path / "ported/golden.npz", **golden)
    status, _, complaint = cli("verify", "ported")
    assert status == 1 and complaint == "compose: ported: output 0 differs from the source's\n"
    (tmp_path / "ported/golden.npz").write_bytes(b"PK")
    assert "golden.npz: cannot be read" in cli("verify", "ported/weights.safetensors")[2]
    assert "not a saved port" in cli("verify", "models.py")[2]
