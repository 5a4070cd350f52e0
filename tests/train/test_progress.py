"""What training shows, and what Ctrl-C does."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from rich.console import Console

from compose import compose_seq, fc, relu
from compose.train import fit
from compose.train.epoch import TURN, Pace
from compose.train.interrupt import Interrupt
from compose.train.progress import Bar, said

NET = compose_seq(fc(8, relu), fc(3))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def test_a_line_an_epoch_where_there_is_no_terminal(capsys):
    trained = fit(NET, X, Y, loss="cross_entropy", epochs=10, batch_size=10, metrics="accuracy", validation=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    number = r"\d+\.\d{4}"
    scores = "  ".join(rf"{name} ({number})" for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
    shape = rf"epoch +(\d+)/10  {scores}  [\d,]+ examples/s  \d+\.\d s"
    found = [re.fullmatch(shape, line) for line in lines]
    assert [int(m[1]) for m in found if m] == list(range(1, 11))
    assert [m[2] for m in found if m] == [f"{epoch['loss']:.4f}" for epoch in trained.history]
    trained.fit(X, Y)
    assert capsys.readouterr().out.startswith("epoch 11/11  loss")


def test_silence(capsys):
    fit(NET, X, Y, loss="cross_entropy", batch_size=10, verbose=False)
    assert capsys.readouterr() == ("", "")


def test_the_bar_shows_scores_rate_and_time_left():
    out = io.StringIO()
    with Bar(1, 2, 100, Console(file=out, force_terminal=True, width=120, color_system=None)) as bar:
        bar.begin(1)
        bar.advance(50, {"loss": 0.5})
        bar.advance(50, {"loss": 0.25, "accuracy": 0.75})
        bar.bar.refresh()
        bar.end({"epoch": 1.0, "seconds": 2.0, "loss": 0.25})
        bar.begin(2)
        bar.bar.refresh()
    text = out.getvalue()
    assert "loss 0.2500  accuracy 0.7500" in text
    assert re.search(r"[\d,]+ examples/s +(\d+:\d\d|-)", text)
    assert "epoch 1/2  loss 0.2500  50 examples/s  2.0 s" in text
    assert "epoch 2/2" in text


def test_small_scores_keep_their_digits():
    assert said({"loss": 0.03125, "mse": 1.25e-5}) == "loss 0.0312  mse 1.25e-05"


def test_calls_grow_to_a_time_a_person_can_wait_for():
    pace, runs = Pace(), []
    for _ in range(10):
        runs.append(pace.steps)
        pace.learn(pace.steps, pace.steps * 1e-3)
    assert runs[0] < runs[1] < runs[-1] == int(TURN / 1e-3)
    pace.learn(1, 10.0)
    assert pace.steps == 1


class Pressing(np.ndarray):
    """Data during whose reading, the `at`-th time, someone presses Ctrl-C."""

    reads, at = 0, 0

    def __getitem__(self, rows):
        if isinstance(rows, np.ndarray):
            type(self).reads += 1
            if self.reads == self.at:
                signal.raise_signal(signal.SIGINT)
        return super().__getitem__(rows)


def pressed(at: int, **options):
    Pressing.reads, Pressing.at = 0, at
    data = X.view(Pressing)
    options = {"batch_size": 5, "memory": 1, "epochs": 9, **options}
    return fit(NET, data, Y, loss="cross_entropy", **options)


def test_ctrl_c_returns_what_is_trained_so_far(capsys):
    trained = pressed(at=11)  # four batches an epoch, each read by itself: within the third epoch
    whole = fit(NET, X, Y, loss="cross_entropy", batch_size=5, epochs=2, verbose=False)
    assert [e["loss"] for e in trained.history] == [e["loss"] for e in whole.history]
    assert "stopped in epoch 3; what is trained so far is returned" in capsys.readouterr().out
    assert 8 < trained.session.steps < 12
    assert np.isfinite(trained.evaluate(X, Y)["loss"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_first_epoch_returns_a_network_too():
    trained = pressed(at=1, verbose=False)
    assert trained.history == ()
    assert trained.predict(X).shape == (20, 3)


def test_ctrl_c_pressed_again_is_an_exception():
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_programs_own_stays():
    seen = []
    old = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [1]
    assert not interrupt.asked


SCRIPT = """
import signal
import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
from compose import fc
x = np.zeros((64, 2), np.float32)
trained = fc(1).fit(x, x[:, :1], loss="mse", epochs=10**6, batch_size=8)
print("returned after", len(trained.history) > 0, trained.predict(x).shape)
"""


def test_ctrl_c_on_a_terminal():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    text, sent = b"", False
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        text += chunk
        if not sent and text.count(b"examples/s") > 3:
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(ours)
    watchdog.cancel()
    assert process.wait() == 0, text[-2000:].decode()
    assert b"stopped in epoch" in text
    assert b"returned after True (64, 1)" in text
    assert b"\xe2\x94\x81" in text, "a bar is drawn"
