"""What Ctrl-C does to training."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from compose import compose_seq, fc, relu
from compose.train import fit
from compose.train.interrupt import Interrupt

NET = compose_seq(fc(8, relu), fc(3))


X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)


Y = np.arange(20) % 3


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
    assert "stopped in epoch 3; returning the network trained so far" in capsys.readouterr().out
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
