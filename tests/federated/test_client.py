"""A client of Flower, called as Flower calls it.

Flower has an environment of its own, since it needs old versions of other packages.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import batch_norm, compose_seq, fc, federated, relu, softmax
from compose.core.errors import ConfigError, DataError
from compose.train import fit

pytestmark = pytest.mark.filterwarnings("default")  # Flower warns as it is imported
NET = compose_seq(fc(8), batch_norm(0.5), relu, fc(3, softmax))
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (np.arange(60) % 3).astype(np.int32)
OPTIONS = dict(loss="cross_entropy", metrics="accuracy", optimizer="sgd", learning_rate=0.1, batch_size=10)


def part(context):
    """Every so many examples: the client's own."""
    at, count = context.node_config["partition-id"], context.node_config["num-partitions"]
    return X[at::count], Y[at::count]


@pytest.fixture
def app():
    import flwr.app
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1  # as in the process of a server
    return flwr.app


@pytest.fixture
def ask(app):
    """Ask a client app to train or evaluate as the server does."""

    def ask(client, arrays, kind="train", client_id=0, number=1):
        context = app.Context(1, 7, {"partition-id": client_id, "num-partitions": 3}, app.RecordDict(), {})
        config = app.ConfigRecord({"server-round": number, "epochs": 99})
        content = app.RecordDict({"arrays": arrays, "config": config})
        return client(app.Message(content, dst_node_id=7, message_type=kind), context).content

    return ask


@pytest.mark.own_environment("flwr")
def test_arrays_there_and_back(app):
    params, state = NET.init(0, X)
    record = federated.to_arrays(params, state)
    assert set(record) >= {"params/fc_0/kernel", "state/batch_norm_0/mean"}
    back = federated.from_arrays(record, NET, 4)
    jax.tree.map(np.testing.assert_array_equal, (back.params, back.state), (params, state))
    np.testing.assert_array_equal(back.predict(X), NET.apply(params, state, X)[0])


@pytest.mark.own_environment("flwr")
def test_what_does_not_fit_is_refused(app):
    record = lambda: federated.to_arrays(*NET.init(0, X))
    key = "params/fc_0/kernel"
    for change, message in [
        (lambda r: r.pop(key), f"missing are {key}, unknown are none"),
        (lambda r: r.update({"params/x": app.Array(np.zeros(2))}), "missing are none, unknown are params/x"),
        (lambda r: r.update({key: app.Array(np.zeros((4, 9)))}), r"must have the shape \(4, 8\); got \(4, 9\)"),
        (lambda r: r.update({key: app.Array(np.full((4, 8), np.nan))}), "not finite"),
        (lambda r: r.update({key: app.Array(np.zeros((4, 8), complex))}), "must be numbers"),
        (lambda r: r.update({key: app.Array("float32", (4, 8), "numpy.ndarray", app.Array(np.zeros(9)).data)}),
         r"must be numbers of the shape \(4, 8\); got float64 \(9,\)"),
    ]:  # fmt: skip
        changed = record()
        change(changed)
        with pytest.raises(DataError, match=message):
            federated.from_arrays(changed, NET, 4)
    pickled = record()
    held = app.Array(np.zeros((4, 8), np.float32))
    pickled[key] = app.Array("object", (4, 8), "numpy.ndarray", held.data.replace(b"'<f4'", b"'|O' "))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        federated.from_arrays(pickled, NET, 4)


@pytest.mark.own_environment("flwr")
def test_a_round_is_a_training(app, ask):
    client = federated.client(NET, part, part, epochs=2, **OPTIONS)
    params, state = NET.init(0, X)
    sent = ask(client, federated.to_arrays(params, state), client_id=1, number=4)
    seed = int(np.random.SeedSequence([0, 4, 1]).generate_state(1)[0] >> 1)
    own = fit(NET, X[1::3], Y[1::3], start=(params, state), seed=seed, epochs=2, verbose=False, **OPTIONS)
    got = federated.from_arrays(sent["arrays"], NET, 4)
    jax.tree.map(np.testing.assert_array_equal, (got.params, got.state), (own.params, own.state))
    last = own.history[-1]
    assert dict(sent["metrics"]) == {"num-examples": 20, "loss": last["loss"], "accuracy": last["accuracy"]}
    assert set(sent) == {"arrays", "metrics"}  # and nothing else is sent

    measured = ask(client, sent["arrays"], "evaluate", client_id=1)
    want = own.evaluate(X[1::3], Y[1::3])
    assert dict(measured["metrics"]) == pytest.approx({"num-examples": 20, **want})


@pytest.mark.own_environment("flwr")
def test_the_average_of_one_step_is_the_step_of_all(app, ask):
    """With one step of gradient descent on parts of one size, averaging is central training."""
    from flwr.serverapp.strategy import FedAvg

    net, whole = fc(3, softmax), dict(loss="cross_entropy", optimizer="sgd", learning_rate=0.5)
    client = federated.client(net, part, batch_size=20, **whole)
    params, state = net.init(0, X)
    arrays = federated.to_arrays(params, state)
    context = lambda i: app.Context(1, i, {"partition-id": i, "num-partitions": 3}, app.RecordDict(), {})
    asked = [app.Message(app.RecordDict({"arrays": arrays}), dst_node_id=i, message_type="train") for i in range(3)]
    replies = [client(message, context(i)) for i, message in enumerate(asked)]
    averaged, scores = FedAvg(fraction_evaluate=0.0).aggregate_train(1, replies)
    central = fit(net, X, Y, start=(params, state), batch_size=60, verbose=False, **whole)
    got = federated.from_arrays(averaged, net, 4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), got.params, central.params)
    assert scores["loss"] == pytest.approx(central.history[0]["loss"], rel=1e-5)


@pytest.mark.own_environment("flwr")
def test_telemetry_is_off(app):
    from flwr.supercore import telemetry

    assert telemetry.FLWR_TELEMETRY_ENABLED == "0"


@pytest.mark.own_environment("flwr")
def test_options_without_a_meaning(app, ask):
    with pytest.raises(ConfigError, match="a loss, got none"):
        federated.client(NET, part)
    with pytest.raises(ConfigError, match="no checkpoint for a client"):
        federated.client(NET, part, checkpoint="x", **OPTIONS)
    arrays = federated.to_arrays(*NET.init(0, X))
    with pytest.raises(ConfigError, match="to return a pair"):
        ask(federated.client(NET, lambda context: X, **OPTIONS), arrays)
    with pytest.raises(ValueError, match="No evaluate function"):
        ask(federated.client(NET, part, **OPTIONS), arrays, "evaluate")


def test_without_flower_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "flwr", None)
    monkeypatch.setitem(sys.modules, "flwr.app", None)
    with pytest.raises(ConfigError, match=r"compose-jax\[federated\]"):
        federated.client(NET, part, **OPTIONS)
