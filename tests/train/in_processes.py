"""What a training in several processes comes to, beside one in a single process. Run as a program by tests.

Prints a JSON object for each case named on the command line: largest differences from a training on one device of this
process alone, and 1 for what is not as it should be.
"""

import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import jax
import numpy as np

import compose as c
from compose.core.errors import ComposeError
from compose.distributed import exchange
from compose.train.callbacks import csv_log, early_stopping, save_best
from compose.train.callbacks.event import stop

RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((42, 48)), RNG.integers(0, 4, 42)
NET = c.compose_seq(c.fc(64, c.relu), c.batch_norm(), c.dropout(0.2), c.fc(64, c.relu), c.fc(4))
EPOCHS = 16  # of the trainings that are cut
OPTIONS = dict(loss="cross_entropy", metrics="accuracy", epochs=1, batch_size=16, verbose=False)  # 16, 16 and 10


def fit(net=NET, x=X, y=LABELS, **options):
    options = OPTIONS | dict(validation=(X[:11], LABELS[:11])) | options
    return net.fit(x, y, **{k: v for k, v in options.items() if v is not None})


def alone(**options):
    return fit(mesh=jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("data",)), **options)


def gap(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.abs(np.float64(np.asarray(p)) - np.float64(np.asarray(q))).max(initial=0)) for p, q in pairs)


def difference(one, many):
    rows = lambda trained: [{k: v for k, v in row.items() if k != "seconds"} for row in trained.history]
    mine = lambda t: exchange.local((t.params, t.state))
    assert len({json.dumps(history) for history in exchange.said(many.history)}) == 1
    return max(gap((mine(one), rows(one)), (mine(many), rows(many))), gap(one.predict(X[:7]), many.predict(X[:7])))


def grid():
    return dict(devices={"data": jax.device_count() // 2, "model": 2}, sharding="tensor")


def layouts():
    one = alone()
    return {
        "replicated": difference(one, fit()),
        "fsdp": difference(one, fit(sharding="fsdp")),
        "tensor": difference(one, fit(**grid())),
        "small chunks": difference(alone(epochs=2), fit(epochs=2, memory=1)),
    }


def options():
    given = dict(
        accumulate=2, ema=0.9, clip=1.0, l2=1e-3, freeze="fc_0/**", class_weight="balanced",
        sample_weight=np.linspace(0.1, 1, 42), epochs=2,
    )  # fmt: skip
    one, many = alone(**given), fit(sharding="fsdp", **given)
    mine, again = one.fit(X, LABELS, verbose=False), many.fit(X, LABELS, verbose=False)
    return {
        "options": difference(one, many),
        "going on": difference(mine, again),
        "not split": float(jax.tree.leaves(many.params["fc_1"])[1].is_fully_addressable),
        "evaluate": gap(one.evaluate(X, LABELS), many.evaluate(X, LABELS)),
    }


class Rows:
    """A data set of single examples that counts what is read."""

    read = 0

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        type(self).read += 1
        return X[i], LABELS[i]


def streams():
    """Parts of a batch, one for each of two processes: as long, and not."""
    me, cuts = jax.process_index(), [(0, 16), (16, 32), (32, 42)]
    whole = lambda: iter([(X[a:b], LABELS[a:b]) for a, b in cuts])
    part = lambda *at: (
        lambda: iter([(X[r], LABELS[r]) for r in (np.split(np.arange(*ab), [n])[me] for ab, n in zip(cuts, at))])
    )
    given = dict(validation=None, y=None)
    one, rows = alone(x=whole, **given), alone(x=Rows(), batch_size=41, **given)
    Rows.read = 0
    by_rows = fit(x=Rows(), batch_size=41, **given)  # the last batch has one row
    return {
        "even": difference(one, fit(x=part(8, 8, 5), **given)),
        "uneven": difference(one, fit(x=part(8, 7, 9), **given)),
        "rows": difference(rows, by_rows),
        "read too much": float(Rows.read > 41 + 22 + 1),
    }


def refused():
    """What processes must not differ in, and what must differ."""
    me = jax.process_index()
    few = lambda: iter([(X[me : me + 8], LABELS[:8])] * (2 + me))
    wrong = {
        "the same data in every process": dict(x=X[me:][:40], y=LABELS[me:][:40]),
        "the same seed in every process": dict(seed=me),
        "the same callbacks in every process": dict(callbacks=[print] if me else []),
        "batches of its own": dict(x=lambda: iter([(X, LABELS)]), y=None, validation=None),
        "as many batches in an epoch": dict(x=few, y=None, validation=None),
        "devices of every one of 2 processes": dict(
            mesh=jax.sharding.Mesh(np.array(jax.devices()[2 - 2 * me :][:2]), ("data",))
        ),
    }
    said = {}
    for words, given in wrong.items():
        try:
            fit(**given)
            said[words] = 1.0
        except ComposeError as e:
            said[words] = float(words not in str(e))
    return said


def callbacks(folder):
    """Files are written by process 0 alone; process 1 alone asks to stop."""
    me, events = jax.process_index(), []
    ask = lambda event: events.append(event.first) or (stop if me == 1 and event.epoch == 2 else None)
    best = save_best(f"{folder}/best.safetensors")
    given = [csv_log(f"{folder}/log.csv"), early_stopping(patience=9), best, ask]
    many = fit(sharding="fsdp", epochs=5, callbacks=given)
    many.save(f"{folder}/model.safetensors", optimizer=True)
    exchange.said("written")
    loaded, rows = c.load(f"{folder}/model.safetensors"), Path(f"{folder}/log.csv").read_text().splitlines()
    return {
        "not stopped": float(len(many.history) != 2),
        "first": float(events != [me == 0] * 2),
        "log": float(len(rows) != 3),
        "saved": gap(exchange.local(many.params), loaded.params),
        "best": float(not os.path.exists(f"{folder}/best.safetensors")),
    }


def checkpoints(folder):
    """Written by all, split; gone on with in this process alone, in another layout, and after damage."""
    one, found, me = alone(epochs=3), {}, jax.process_index()
    fit(epochs=2, sharding="fsdp", checkpoint=c.checkpoint(folder, steps=2, keep=9))
    exchange.said("written")
    copies = [f"{folder}-{i}" for i in range(3)]
    if me == 0:
        for copy in copies:
            shutil.copytree(folder, copy)
        damage(copies[2])
        mine = alone(epochs=3, checkpoint=copies[0])
        found["alone"] = gap((one.params, one.state, one.predict(X)), (mine.params, mine.state, mine.predict(X)))
        latest = max(name for name in os.listdir(folder) if name.endswith(".safetensors"))
        found["loaded"] = float(len(c.load(f"{folder}/{latest}").history) != 2)
    exchange.said("copied")
    found["not split"] = float(not any(name.endswith(".arrays") for name in os.listdir(folder)))
    found["tensor"] = difference(one, fit(epochs=3, checkpoint=copies[1], **grid()))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found["damaged"] = difference(one, fit(epochs=3, checkpoint=copies[2], sharding="fsdp"))
    found["not said"] = float(not any("damaged" in str(w.message) for w in seen))
    return found


def damage(folder):
    """Flip a bit in the largest file of the arrays of the latest checkpoint."""
    latest = max(name for name in os.listdir(folder) if name.endswith(".arrays"))
    files = [os.path.join(at, name) for at, _, names in os.walk(f"{folder}/{latest}") for name in names]
    with open(max(files, key=os.path.getsize), "r+b") as file:
        data = bytearray(file.read())
        data[len(data) // 2] ^= 1
        file.seek(0)
        file.write(data)


def slow(folder):
    """A training that prints its epochs until it is killed."""
    tell = lambda event: (print("epoch", event.epoch, flush=True), time.sleep(0.1))[2:] or None
    fit(epochs=EPOCHS, checkpoint=c.checkpoint(folder, steps=5), sharding="fsdp", callbacks=[tell])
    return {}


def go_on(folder):
    """The same, started again: its end, beside that of a training that was never cut."""
    tell = lambda event: None
    cut = fit(epochs=EPOCHS, checkpoint=c.checkpoint(folder, steps=5), sharding="fsdp", callbacks=[tell])
    whole = fit(epochs=EPOCHS, sharding="fsdp")
    return {"resumed": difference(whole, cut), "steps": float(cut.session.steps != whole.session.steps)}


def asleep():
    """One process computes on the host for long, and is told of no lost connection."""
    wait = lambda event: (print("epoch", event.epoch, flush=True), time.sleep(120 if event.first else 0))[2:] or None
    fit(epochs=40, callbacks=[wait])
    return {}


def broken():
    """One process fails by itself."""
    if jax.process_index() == 1:
        fit()
        raise ValueError("a fault of this process alone")
    fit(), fit(epochs=100_000)
    return {}


CASES = (layouts, options, streams, refused, callbacks, checkpoints, slow, go_on, asleep, broken)


def main(cases):
    jax.config.update("jax_enable_x64", True)
    place = c.distributed.start()
    assert (place.index, place.count) == (jax.process_index(), jax.process_count())
    assert c.distributed.start() is place
    known = {f.__name__: f for f in CASES}
    for case in cases:
        name, _, folder = case.partition("=")
        with tempfile.TemporaryDirectory() as made:
            shared = exchange.said(made)[0]
            run = known[name]
            found = run(folder or shared) if run.__code__.co_argcount else run()
            print(json.dumps({"case": name, **found}), flush=True)
            exchange.said("done")


if __name__ == "__main__":
    main(sys.argv[1:])
