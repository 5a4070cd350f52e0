"""A training that is cut and resumed ends with the bits of one that is not."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import compose
from compose import batch_norm, callbacks, compose_seq, dropout, fc, relu, softmax
from compose.core.errors import ConfigError, FileError
from compose.train import fit

NET = compose_seq(fc(8), batch_norm(), relu, dropout(0.3), fc(3, softmax))
X = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
Y = np.arange(50) % 3


class Cut(Exception):
    pass


def cutting(at):
    """A callback that raises after `at` steps; it looks the same wherever it cuts."""

    def cut(event):
        if event.step == at:
            raise Cut

    return callbacks.every(1)(cut)


def train(at=None, folder=None, **options):
    defaults = dict(
        loss="cross_entropy", batch_size=16, epochs=4, verbose=False, validation=0.2, metrics=("accuracy", "auc"),
        checkpoint=folder and compose.checkpoint(folder, steps=1), callbacks=[cutting(at)],
    )  # fmt: skip
    return fit(NET, X, Y, **{**defaults, **options})


def same(a, b):
    assert jax.tree.structure(a.session.optimizer_state) == jax.tree.structure(b.session.optimizer_state)
    parts = [(t.params, t.state, t.session.optimizer_state, t.session.raw, t.session.rate) for t in (a, b)]
    raw = lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    bits = [[np.asarray(raw(leaf)).tobytes() for leaf in map(jnp.asarray, jax.tree.leaves(part))] for part in parts]
    assert bits[0] == bits[1]
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in t.history] for t in (a, b)]
    assert timeless[0] == timeless[1]
    assert a.session.steps == b.session.steps


EVERYTHING = dict(
    ema=0.9, accumulate=2, clip=1.0, l2=1e-3, freeze="fc_0/bias",
    learning_rate=compose.schedules.cosine(1e-2, warmup=0.2),
)  # fmt: skip
STOPPING = [callbacks.early_stopping("val_loss", patience=2), callbacks.reduce_on_plateau("val_loss", patience=1)]


@pytest.mark.parametrize("at", [1, 3, 5, 11])
def test_cut_anywhere(at, tmp_path):
    whole = train(**EVERYTHING)
    with pytest.raises(Cut):
        train(at, tmp_path, **EVERYTHING)
    assert len(list(tmp_path.iterdir())) == min(3, at - 1)  # the callback cuts before that step's checkpoint
    same(train(None, tmp_path, **EVERYTHING), whole)
    same(train(None, tmp_path, **EVERYTHING), whole)  # a finished training is returned
    assert not train(None, tmp_path, **EVERYTHING).interrupted


@pytest.mark.parametrize(
    "options",
    [
        dict(optimizer="sgd", learning_rate=2.0, epochs=8), dict(precision="float16"), dict(memory=900),
        dict(optimizer=optax.chain(optax.add_noise(0.01, 0.5, jax.random.key(1)), optax.sgd(0.05))),
        dict(optimizer=optax.inject_hyperparams(optax.adam)(learning_rate=optax.linear_schedule(1e-2, 0.0, 12))),
    ],
    ids=["stopping", "float16", "streamed", "noise", "inject"],
)  # fmt: skip
def test_whatever_the_options(options, tmp_path):
    def run(at, folder):
        return train(at, folder, callbacks=[cutting(at), *STOPPING], **options)

    whole = run(None, None)
    for at in (4, 7):
        with pytest.raises(Cut):
            run(at, tmp_path)
    same(run(None, tmp_path), whole)
    same(run(None, tmp_path), whole)


@pytest.mark.slow
def test_training_longer_goes_on(tmp_path):
    train(None, tmp_path, epochs=2)
    same(train(None, tmp_path, epochs=4), train(epochs=4))


def test_a_training_that_started_from_another(tmp_path):
    first = train(epochs=1)
    whole = first.fit(X, Y, epochs=2, validation=0.2, callbacks=[cutting(None)])
    for at in (5, None):
        run = lambda at=at: first.fit(
            X, Y, epochs=2, validation=0.2, callbacks=[cutting(at)], checkpoint=compose.checkpoint(tmp_path, steps=1)
        )
        if at:
            with pytest.raises(Cut):
                run()
    same(run(), whole)


def test_a_checkpoint_is_a_model_file(tmp_path):
    trained = train(None, tmp_path)
    latest = max(tmp_path.iterdir())
    loaded = compose.load(latest)
    np.testing.assert_array_equal(loaded.predict(X), trained.predict(X))
    same(loaded.fit(X, Y, **(options := dict(loss="cross_entropy", epochs=1, batch_size=16, verbose=False))),
         trained.fit(X, Y, metrics=(), **options))  # fmt: skip


def test_another_training_in_the_folder_is_an_error(tmp_path):
    train(None, tmp_path, epochs=1)
    with pytest.raises(ConfigError, match=r"(?s)with batch_size 16, got 8.*use another folder"):
        train(None, tmp_path, batch_size=8)
    with pytest.raises(ConfigError, match="with data "):
        fit(NET, X + 1, Y, loss="cross_entropy", batch_size=16, checkpoint=tmp_path, metrics=("accuracy", "auc"))
    with pytest.raises(ConfigError, match="the callbacks of the training in the checkpoint: _Every"):
        train(None, tmp_path, callbacks=[])
    with pytest.raises(ConfigError, match="checkpoint to be a folder"):
        train(None, None, checkpoint=3)
    with pytest.raises(FileError, match="cannot be a folder for checkpoints"):
        train(None, next(tmp_path.iterdir()))


def test_the_one_before_a_damaged_one_is_used(tmp_path):
    whole = train()
    with pytest.raises(Cut):
        train(7, tmp_path)
    _, two, three = sorted(tmp_path.iterdir())
    three.write_bytes(three.read_bytes()[:-1])
    two.write_bytes(b"")
    (tmp_path / ".step-0000000009.safetensors.0a1b2c3d.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.warns(UserWarning, match="checkpoint before it is used") as warned:
        same(train(None, tmp_path), whole)
    assert [str(w.message).partition(":")[0] for w in warned] == [str(three), str(two)]
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("step-")] == ["notes.txt"]


def damages(file, count, seed=0):
    """The bytes of a file with one bit flipped, at random places."""
    data, rng = file.read_bytes(), random.Random(seed)
    for _ in range(count):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        yield bytes(damaged)


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_any_damaged_byte_is_noticed(count, tmp_path):
    from compose.train.checkpoints import Checkpoints, checkpoint

    train(None, tmp_path, epochs=1)
    file = max(tmp_path.iterdir())
    for other in tmp_path.iterdir():
        if other != file:
            other.unlink()
    folder = Checkpoints(checkpoint(tmp_path))
    assert folder.latest() is not None
    for damaged in damages(file, count):
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match=file.name):
            assert folder.latest() is None


SCRIPT = """
import sys
import numpy as np
import compose
from compose import batch_norm, callbacks, compose_seq, dropout, fc, relu
net = compose_seq(fc(32), batch_norm(), relu, dropout(0.3), fc(3))
x = np.random.default_rng(0).normal(size=(3000, 20)).astype(np.float32)
trained = net.fit(
    x, np.arange(3000) % 3, loss="cross_entropy", epochs=6, batch_size=16, validation=0.2, verbose=False, ema=0.9,
    checkpoint=compose.checkpoint(sys.argv[1], steps=25), callbacks=[callbacks.early_stopping(patience=4)],
)
trained.save(sys.argv[2])
"""


def killed(tmp_path, times, signals=(signal.SIGKILL,), seed=0):
    """Run the script, end it at random moments that many times, and let it finish. Returns whole and resumed."""
    rng = random.Random(seed)

    def start(name):
        return subprocess.Popen([sys.executable, "-c", SCRIPT, tmp_path / name, tmp_path / f"{name}.safetensors"],
                                env={**os.environ, "JAX_PLATFORMS": "cpu"})  # fmt: skip

    assert start("whole").wait() == 0
    codes, folder = [], tmp_path / "cut"
    names = lambda: set(os.listdir(folder)) if folder.exists() else set()
    for i in range(times):
        before, process, deadline = names(), start("cut"), time.monotonic() + 100
        while names() == before and process.poll() is None:  # until it trains
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.random() * 0.2)
        process.send_signal(signals[i % len(signals)])
        codes.append(process.wait())
    assert start("cut").wait() == 0
    return *(compose.load(tmp_path / f"{name}.safetensors") for name in ("whole", "cut")), codes


@pytest.mark.parametrize("times, signals", [
    (2, (signal.SIGKILL, signal.SIGTERM)), pytest.param(8, (signal.SIGKILL,), marks=pytest.mark.slow),
])  # fmt: skip
@pytest.mark.slow
def test_killed_at_random_moments(times, signals, tmp_path):
    whole, cut, codes = killed(tmp_path, times, signals)
    assert set(codes) <= {-9, -15, 143, 0}  # -15: before training began, which handles the signal
    assert set(codes) - {0}, "all of them had finished"
    jax.tree.map(np.testing.assert_array_equal, (whole.params, whole.state), (cut.params, cut.state))
    assert [row["loss"] for row in whole.history] == [row["loss"] for row in cut.history]


def test_sigterm_saves_and_leaves(tmp_path, capsys):
    leave = callbacks.every(1)(lambda e: signal.raise_signal(signal.SIGTERM) if e.step == 5 else None)
    with pytest.raises(SystemExit) as left:
        train(callbacks=[leave], checkpoint=tmp_path, verbose=True)
    assert left.value.code == 143
    assert "terminated in epoch 2; the same call continues from the checkpoint" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000005.safetensors"]
    same(train(callbacks=[callbacks.every(1)(lambda e: None)], checkpoint=tmp_path), train())


def test_ctrl_c_saves_and_says_so(tmp_path):
    press = callbacks.every(1)(lambda e: signal.raise_signal(signal.SIGINT) if e.step == 5 else None)
    trained = train(callbacks=[press], checkpoint=tmp_path)
    assert trained.interrupted
    assert trained.session.steps == 5
    resumed = train(callbacks=[callbacks.every(1)(lambda e: None)], checkpoint=tmp_path)
    same(resumed, train())
    shutil.rmtree(tmp_path)
