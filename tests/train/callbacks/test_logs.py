"""Logs of a training in files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import compose
from compose import callbacks
from compose.core.errors import FileError
from tests.train.callbacks.problem import X, Y, train


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_csv(tmp_path):
    log = callbacks.csv_log(tmp_path / "log.csv")
    trained = train(callbacks=[log], metrics="accuracy")
    got = rows(tmp_path / "log.csv")
    assert [row["epoch"] for row in got] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in got] == [row["loss"] for row in trained.history]
    assert list(got[0]) == ["epoch", "seconds", "loss", "accuracy"]
    trained.fit(X, Y, epochs=1, callbacks=[log])
    assert [row["epoch"] for row in rows(tmp_path / "log.csv")] == ["1", "2", "3", "4"]
    train(callbacks=[log], epochs=1)
    assert len(rows(tmp_path / "log.csv")) == 1, "another training begins the file anew"


def test_jsonl(tmp_path):
    path = tmp_path / "log.jsonl"
    train(callbacks=[callbacks.jsonl_log(path, steps=3)], epochs=2)
    got = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["on"], row["step"]) for row in got] == [("steps", 3), ("epoch", 4), ("steps", 6), ("epoch", 8)]
    assert set(got[0]) == {"on", "epoch", "step", "loss"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match=r"nowhere.log\.csv: cannot be written: No such file"):
        train(callbacks=[callbacks.csv_log(tmp_path / "nowhere" / "log.csv")])


def test_the_best_network_in_a_file(tmp_path):
    path = tmp_path / "best.safetensors"
    trained = train(callbacks=[callbacks.save_best(path, "val_loss")], validation=(X, Y), optimizer="sgd",
                    learning_rate=3.0, epochs=8)  # fmt: skip
    best = min(trained.history, key=lambda row: row["val_loss"])
    kept = compose.load(path)
    assert kept.history[-1]["epoch"] == best["epoch"]
    assert kept.evaluate(X, Y, loss="cross_entropy")["loss"] == pytest.approx(best["val_loss"], rel=1e-5)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    train(callbacks=[callbacks.tensorboard(tmp_path, steps=2, histograms=True)], validation=(X, Y), epochs=2)
    (file,) = tmp_path.iterdir()
    values = {}
    for record in records(file.read_bytes()):
        event = Event.FromString(record)
        for value in event.summary.value:
            values.setdefault(value.tag, []).append(event.step)
    assert values["loss/train"] == values["loss/val"] == [4, 8]
    assert values["loss/steps"] == [2, 4, 6, 8]
    assert values["fc_0/kernel"] == [4, 8]
    assert "network/text_summary" in values


def test_tensorboard_has_the_graph_and_the_projector(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.graph_pb2 import GraphDef

    labels = [f"class {y}" for y in Y]
    trained = train(callbacks=[callbacks.tensorboard(tmp_path, projector=("fc_0", X, labels))])
    (file,) = (path for path in tmp_path.iterdir() if "tfevents" in path.name)
    (graph,) = filter(None, (Event.FromString(record).graph_def for record in records(file.read_bytes())))
    nodes = {node.name: node for node in GraphDef.FromString(graph).node}
    assert next(iter(nodes)) == "input" and list(nodes)[-1] == "output"
    assert list(nodes["fc_0"].input) == ["input"] and nodes["fc_0"].op.startswith("fc(")
    assert "fc_0" in (tmp_path / "projector_config.pbtxt").read_text()
    (vectors,) = tmp_path.rglob("tensors.tsv")
    (words,) = tmp_path.rglob("metadata.tsv")
    hidden = trained.net[:1].apply(trained.params, trained.state, X)[0]
    np.testing.assert_allclose(np.loadtxt(vectors), hidden, rtol=1e-5)
    assert words.read_text().splitlines() == labels
    with pytest.raises(compose.LayerError, match="the path of a layer for the projector: fc_0"):
        train(callbacks=[callbacks.tensorboard(tmp_path / "b", projector=("nope", X, None))])


def test_tensorboard_compares_trainings_by_their_hyperparameters(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    board = callbacks.tensorboard(tmp_path, hyperparameters={"width": 8, "wide": False})
    rate = compose.schedules.cosine(0.1)
    train(callbacks=[board], validation=(X, Y), learning_rate=rate, l2={"**/kernel": 1e-3}, clip=1.0)
    (file,) = tmp_path.iterdir()
    events = [Event.FromString(record) for record in records(file.read_bytes())]
    held = {
        value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for event in events for value in event.summary.value if value.metadata.plugin_data.plugin_name == "hparams"
    }  # fmt: skip
    start = held["_hparams_/session_start_info"].session_start_info.hparams
    numbers = {name: value.number_value for name, value in start.items() if value.HasField("number_value")}
    words = {name: value.string_value for name, value in start.items() if value.HasField("string_value")}
    assert numbers["width"] == 8 and numbers["clip"] == 1 and numbers["batch_size"] > 0 and not start["wide"].bool_value
    assert words["loss"] == "cross_entropy" and words["learning_rate"] == str(rate) and "kernel" in words["l2"]
    tags = [info.name.tag for info in held["_hparams_/experiment"].experiment.metric_infos]
    assert "loss/val" in tags and {value.tag for event in events for value in event.summary.value} >= set(tags)
    assert held["_hparams_/session_end_info"].session_end_info.status == 1  # success
    with pytest.raises(compose.LayerError, match="a dict from names to numbers"):
        callbacks.tensorboard(tmp_path, hyperparameters={"width": [8]})


def records(data):
    """The records of an event file: length, checksum, bytes, checksum."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield data[at + 12 : at + 12 + size]
        at += size + 16
