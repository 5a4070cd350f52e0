"""What training shows, and what Ctrl-C does."""

from __future__ import annotations

import contextlib
import io
import re
import time

import numpy as np
from rich.console import Console

from compose import compose_seq, fc, relu
from compose.train import fit
from compose.train import progress as shown
from compose.train.progress import Bar, Lines, Silent, format_scores

NET = compose_seq(fc(8, relu), fc(3))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def test_a_line_an_epoch_where_there_is_no_terminal(capsys):
    trained = fit(NET, X, Y, loss="cross_entropy", epochs=10, batch_size=10, metrics="accuracy", validation=0.2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line != "compiling"]  # where that takes a second
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
    assert format_scores({"loss": 0.03125, "mse": 1.25e-5}) == "loss 0.0312  mse 1.25e-05"


def test_the_bar_says_when_it_compiles():
    out = io.StringIO()
    with Bar(1, 2, 100, Console(file=out, force_terminal=True, width=60, color_system=None)) as bar:
        bar.begin(1)
        with bar.compiling():
            bar.bar.refresh()
        assert "compiling" in out.getvalue()
        bar.advance(50, {"loss": 0.5})
        with bar.compiling():
            bar.bar.refresh()
        out.truncate(0)
        bar.bar.refresh()
    assert "compiling" not in out.getvalue() and "loss 0.5000" in out.getvalue()


def test_a_line_says_so_if_it_takes_long(capsys, monkeypatch):
    monkeypatch.setattr(shown, "PATIENCE", 0.05)
    lines = Lines(1, 1, 10)
    with lines.compiling():
        time.sleep(0.3)
    assert capsys.readouterr().out == "compiling\n"
    with lines.compiling():
        pass
    time.sleep(0.2)
    assert capsys.readouterr().out == ""


def test_fit_compiles_within_it(monkeypatch):
    entered = []
    monkeypatch.setattr(Silent, "compiling", lambda self: entered.append(1) or contextlib.nullcontext())
    net = compose_seq(fc(7, relu), fc(3))
    options = dict(loss="cross_entropy", batch_size=9, validation=0.4, verbose=False)
    trained = fit(net, X, Y, **options)
    assert len(entered) == 3, "the full batches, the last one, and those of the validation"
    trained.fit(X, Y, validation=0.4, epochs=2)
    assert len(entered) == 3


def test_a_narrow_terminal_has_the_bar_and_the_time_left():
    for width in (60, 80, 120):
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=width, color_system=None)
        with Bar(1, 20, 600, console) as bar:
            bar.begin(2)
            bar.advance(100, {})
            bar.advance(600, {name: 0.125 for name in ("loss", "accuracy", "f1", "top_5", "auc")})
            out.truncate(0)
            bar.bar.refresh()
        line = out.getvalue().replace("\x1b[2K", "").strip("\x00\r\n").split("\r")[0]
        assert re.match(r"epoch 2/20 +[━╸]", line) and "loss 0.1250  accuracy 0.1" in line, line
        assert re.search(r"\d:\d\d:\d\d|-:--:--", line) and len(line) <= width


def test_a_line_says_so_once_for_programs_that_follow_each_other(capsys, monkeypatch):
    monkeypatch.setattr(shown, "PATIENCE", 0.01)
    lines = Lines(1, 2, 100)
    for _ in range(2):
        with lines.compiling():
            time.sleep(0.1)
    assert capsys.readouterr().out == "compiling\n"
