"""What the layers cost beside the arithmetic: planning, initialising, a call, the import.

    python benchmarks/overhead.py                  the table; --rounds 15 for a busy machine

Each round measures every row once, on shapes that no round before has seen, so that nothing is found in a cache. A
row's limit is for an idle machine; seconds of the processor, which other programs disturb less, stand beside it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from compose import compose_seq, fc, layer_norm, relu, softmax, spec, tanh
from compose.train import Trained

IMPORT = "import time, jax; a = time.perf_counter(), time.process_time(); import compose; b = time.perf_counter(), " \
    "time.process_time(); print(b[0] - a[0], b[1] - a[1])"  # fmt: skip


def planning(turn: int) -> Callable[[], object]:
    """200 layers, no two alike."""
    first = 16 + 300 * turn
    layers = [fc(first + i, relu) for i in range(100)]
    for i in range(50):
        layers += [layer_norm(epsilon=1e-5 * (i + 1)), fc(first + 100 + i, tanh)]
    return lambda: compose_seq(*layers).out(spec(first))


def initialising(turn: int) -> Callable[[], object]:
    """96 layers of 48 shapes."""
    sizes = [64 + 100 * turn + i for i in range(48)]
    net = compose_seq(*[fc(n, relu) for n in sizes + sizes[::-1]])
    net.out(sizes[0])
    return lambda: jax.block_until_ready(net.init(0, sizes[0]))


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def importing() -> tuple[float, float]:
    made = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    wall, processor = map(float, made.stdout.split())
    return wall, processor


def calls(batch: int, number: int = 300) -> Callable[[], float]:
    """A warm `predict` over the same network jitted by hand: the ratio of their times, turn about."""
    net = compose_seq(fc(250, relu), fc(100, relu), fc(10, softmax))
    x = jnp.ones((batch, 784))
    params, state = net.init(0, x)
    trained = Trained(net, params, state, (), spec(784))

    @jax.jit
    def by_hand(p, x):
        x = jax.nn.relu(x @ p["fc_0"]["kernel"] + p["fc_0"]["bias"])
        x = jax.nn.relu(x @ p["fc_1"]["kernel"] + p["fc_1"]["bias"])
        return jax.nn.softmax(x @ p["fc_2"]["kernel"] + p["fc_2"]["bias"])

    def ratio() -> float:
        times: dict[str, list[float]] = {"predict": [], "by hand": []}
        for _ in range(number):
            for name, run in (("predict", lambda: trained.predict(x)), ("by hand", lambda: by_hand(params, x))):
                start = time.perf_counter()
                jax.block_until_ready(run())
                times[name].append(time.perf_counter() - start)
        return statistics.median(times["predict"]) / statistics.median(times["by hand"])

    ratio()
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description="Time what the layers cost beside the arithmetic.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds

    planning(rounds)()
    initialising(rounds)()
    ratios = {batch: calls(batch) for batch in (100, 1000)}
    timed: dict[str, list[tuple[float, float]]] = {"planning 200": [], "initialising 96": [], "import compose": []}
    warm: dict[int, list[float]] = {batch: [] for batch in ratios}
    for turn in range(rounds):
        timed["planning 200"].append(seconds(planning(turn)))
        timed["initialising 96"].append(seconds(initialising(turn)))
        timed["import compose"].append(importing())
        for batch, ratio in ratios.items():
            warm[batch].append(ratio())

    table = Table("", "limit", "median s", "least s", "median s of the processor")
    limits = {"planning 200": ("distinct layers", 0.5), "initialising 96": ("layers, 48 new shapes", 1.5),
              "import compose": ("after jax", 0.25)}  # fmt: skip
    for name, pairs in timed.items():
        wall, processor = zip(*pairs)
        said, limit = limits[name]
        figures = (statistics.median(wall), min(wall), statistics.median(processor))
        table.add_row(f"{name} {said}", f"{limit} s", *(f"{s:.3f}" for s in figures))
    for batch, found in warm.items():
        label = f"a warm predict of {batch}, over plain jax.jit"
        table.add_row(label, "× 1.10", f"× {statistics.median(found):.3f}", f"× {min(found):.3f}", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
