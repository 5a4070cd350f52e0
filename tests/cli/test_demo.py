"""`compose demo`."""

import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from compose.data import digits
from compose.data.images import MNIST
from compose.train import load


def test_demo_ends_with_the_accuracy_of_the_model_it_saved(demo):
    folder, printed = demo
    label, value = printed.splitlines()[-1].rsplit(" ", 1)
    assert label == "test accuracy:"
    assert float(value) > 0.93
    test = digits().split().test
    right = np.argmax(load(folder / "classifier.safetensors").predict(test.flat), axis=1) == test.y
    assert value == f"{right.mean():.4f}"


def test_demo_prints_expressions_tables_and_progress(demo):
    folder, printed = demo
    assert str(load(folder / "autoencoder.safetensors").net) in printed
    assert str(load(folder / "classifier.safetensors").net) in printed
    assert "parameters  42,360" in printed
    assert "scikit-learn's digits" in printed and "1437 training images, 360 test images" in printed
    assert sum(line.startswith("epoch") for line in printed.splitlines()) == 30


def test_demo_draws_what_the_autoencoder_saw_and_made(demo):
    from matplotlib.image import imread

    folder, _ = demo
    picture = imread(folder / "reconstructions.png")
    assert picture.shape[1] == 1000
    assert len(np.unique(picture[..., 0])) > 50  # greys of real images
    test = digits().split().test
    error = np.mean((load(folder / "autoencoder.safetensors").predict(test.flat) - test.flat) ** 2)
    assert error < 0.02 < np.var(test.flat)


def test_demo_reads_mnist_where_it_is_and_says_if_it_is_damaged(cli, tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for part in MNIST.parts:
        (tmp_path / "mnist" / part.name).write_bytes(b"\0\0")
    monkeypatch.setenv("COMPOSE_DATA", str(tmp_path))
    status, _, complaint = cli("demo", "--out", tmp_path)
    assert status == 1 and "train-images-idx3-ubyte: not an IDX file" in complaint


def test_demo_download_without_a_net(cli, tmp_path, monkeypatch):
    offline = dataclasses.replace(MNIST, mirrors=("http://127.0.0.1:1/",))
    monkeypatch.setattr("compose.data.images.MNIST", offline)
    status, _, complaint = cli("demo", "--download", "--out", tmp_path)
    assert status == 1
    assert "MNIST is not on this computer and cannot be downloaded" in complaint and "COMPOSE_DATA" in complaint


# A process started in the background ignores the signal, and its children with it.
DEMO = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from compose.cli import main; main()"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-c", DEMO, "demo", "--out", tmp_path, "--epochs", "99999"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COMPOSE_DATA": ""},
    )  # fmt: skip
    assert run.stdout is not None
    try:
        assert any(line.startswith("epoch") for line in run.stdout)
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "Traceback" not in rest
    assert os.listdir(tmp_path) == []
