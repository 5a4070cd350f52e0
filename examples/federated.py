"""Federated averaging with Flower: five clients train one network, and no image leaves its client.

    pip install "compose-jax[federated]" "flwr[simulation]"         in an environment of its own
    python examples/federated.py

Each kind of digit is divided unevenly, by a Dirichlet distribution with 0.3. In each round every client trains two
epochs from the average, and the server averages what they send, weighted by their examples. Only parameters and scores
are sent. Central training has all the images in one place, for as many epochs. Flower reports to standard error; the
example prints

    client 0: 207 images, by kind [56 12  0  0 87  2  0 50  0  0]
    client 1: 224 images, by kind [16 73 17  7  0  0 58 21 18 14]
    client 2: 376 images, by kind [ 7 39  7 61 21 92 24 47  0 78]
    client 3: 327 images, by kind [44  0 98 55 18 28  6  0 78  0]
    client 4: 123 images, by kind [ 1  3  2  5  1  5 39  7 26 34]
    round 4: test accuracy 0.735, central 0.972
    round 8: test accuracy 0.850, central 0.976
    round 12: test accuracy 0.893, central 0.974
    round 16: test accuracy 0.909, central 0.978
    round 20: test accuracy 0.924, central 0.981
"""

from __future__ import annotations

import argparse

import numpy as np

from compose import compose_seq, conv, data, fc, federated, flatten, max_pool, relu, softmax

EPOCHS, SHARE = 2, 0.3

net = compose_seq(conv(16, 3, relu), max_pool, flatten, fc(64, relu), fc(10, softmax))
options = dict(loss="cross_entropy", metrics="accuracy", optimizer="adam", learning_rate=2e-3)
train, test = data.digits().split(test=0.3, seed=0)


def parts(clients: int) -> list[np.ndarray]:
    """The rows of each client: every kind of digit is divided anew, unevenly."""
    rng = np.random.default_rng(0)
    rows: list[list[int]] = [[] for _ in range(clients)]
    for kind in range(10):
        of_kind = rng.permutation(np.flatnonzero(train.y == kind))
        cuts = np.cumsum(rng.dirichlet([SHARE] * clients))[:-1] * len(of_kind)
        for own, more in zip(rows, np.split(of_kind, cuts.astype(int))):
            own.extend(more)
    return [np.array(own) for own in rows]


def own(context) -> data.Dataset:
    """What the client has that Flower calls."""
    config = context.node_config
    return train.rows(parts(config["num-partitions"])[config["partition-id"]])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a network on data that stay with their owners.")
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args(arguments)

    client = federated.client(net, own, epochs=EPOCHS, **options)
    for i, rows in enumerate(parts(args.clients)):
        print(f"client {i}: {len(rows)} images, by kind {np.bincount(train.y[rows], minlength=10)}")
    central = net.fit(train, epochs=EPOCHS * args.rounds, validation=test, verbose=False, **options)
    averaged(client, args.clients, args.rounds, [row["val_accuracy"] for row in central.history[EPOCHS - 1 :: EPOCHS]])


def averaged(client, clients: int, rounds: int, central: list[float]) -> None:
    """Simulate the server and its clients on this machine."""
    from flwr.app import MetricRecord
    from flwr.serverapp import ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    server = ServerApp()

    def measure(number, arrays) -> MetricRecord:
        scores = federated.from_arrays(arrays, net, test.x).evaluate(test, loss="cross_entropy", metrics="accuracy")
        if number and number % max(rounds // 5, 1) == 0:
            print(
                f"round {number}: test accuracy {scores['accuracy']:.3f}, central {central[number - 1]:.3f}", flush=True
            )
        return MetricRecord(scores)

    @server.main()
    def run(grid, context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=clients, min_available_nodes=clients)
        first = federated.to_arrays(*net.init(0, test.x))
        strategy.start(grid=grid, initial_arrays=first, num_rounds=rounds, evaluate_fn=measure)

    resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    run_simulation(server_app=server, client_app=client, num_supernodes=clients, backend_config=resources)


if __name__ == "__main__":
    main()
