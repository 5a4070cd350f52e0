"""Seconds an epoch on MNIST: `fit` against loops written by hand in JAX, interleaved in one run.

    python benchmarks/mnist_epoch.py               the table; --rounds 15 for a busy machine

784-250-100-10, RMSProp, batches of 100, data on the device, a new order each epoch. By hand, once the whole
epoch in one `lax.scan`, and once a jitted call for each step. Each round runs all of them, in an order that
turns; the ratio to the scan is taken within a round, and its median over the rounds is what counts.
"""

from __future__ import annotations

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

from compose import compose_seq, data, fc, relu, softmax

BATCH, RATE = 100, 1e-3

net = compose_seq(fc(250, relu), fc(100, relu), fc(10, softmax))
optimizer = optax.rmsprop(RATE)


def loss_by_hand(params, x, y):
    x = jax.nn.relu(x @ params["fc_0"]["kernel"] + params["fc_0"]["bias"])
    x = jax.nn.relu(x @ params["fc_1"]["kernel"] + params["fc_1"]["bias"])
    z = x @ params["fc_2"]["kernel"] + params["fc_2"]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()


def step(carry, x, y):
    params, averages = carry
    value, grad = jax.value_and_grad(loss_by_hand)(params, x, y)
    updates, averages = optimizer.update(grad, averages, params)
    return (optax.apply_updates(params, updates), averages), value


def main() -> None:
    parser = argparse.ArgumentParser(description="Time an epoch of MNIST.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds

    train, _ = data.mnist()
    x, y = jnp.asarray(train.flat), jnp.asarray(train.y)
    epochs = {
        "fit": by_fit(x, y),
        "one lax.scan, by hand": by_scan(x, y),
        "a jitted call a step, by hand": by_steps(x, y),
    }
    for epoch in epochs.values():
        epoch(0)  # compiles
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(1, rounds + 1):
        names = list(epochs)
        for name in names[turn % 3 :] + names[: turn % 3]:
            times[name].append(epochs[name](turn))

    table = Table("an epoch of 60,000", "median s", "least s", "median ratio to the scan")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times["one lax.scan, by hand"]))
        table.add_row(name, f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f}", f"{ratio:.3f}")
    Console(width=100).print(table)


def by_fit(x, y):
    """`fit`'s own clock: an epoch from drawing its order to having its loss, without setting up."""
    trained = None

    def epoch(turn: int) -> float:
        nonlocal trained
        if trained is None:
            trained = net.fit(x, y, loss="cross_entropy", optimizer=optimizer, batch_size=BATCH, verbose=False)
        trained = trained.fit(x, y)
        return trained.history[-1]["seconds"]

    return epoch


def by_scan(x, y):
    params, _ = net.init(0, x)
    carry = (params, optimizer.init(params))

    @jax.jit
    def run(carry, x, y, order):
        return jax.lax.scan(lambda carry, rows: step(carry, x[rows], y[rows]), carry, order)

    def epoch(turn: int) -> float:
        nonlocal carry
        began = time.perf_counter()
        order = np.random.default_rng([0, turn]).permutation(len(x)).astype(np.int32)
        carry, losses = run(carry, x, y, order.reshape(-1, BATCH))
        float(losses.mean())
        return time.perf_counter() - began

    return epoch


def by_steps(x, y):
    params, _ = net.init(0, x)
    carry = (params, optimizer.init(params))
    run = jax.jit(lambda carry, x, y, rows: step(carry, x[rows], y[rows]))

    def epoch(turn: int) -> float:
        nonlocal carry
        began = time.perf_counter()
        order = np.random.default_rng([0, turn]).permutation(len(x)).astype(np.int32)
        losses = []
        for rows in order.reshape(-1, BATCH):
            carry, value = run(carry, x, y, rows)
            losses.append(value)
        float(jnp.stack(losses).mean())
        return time.perf_counter() - began

    return epoch


if __name__ == "__main__":
    main()
