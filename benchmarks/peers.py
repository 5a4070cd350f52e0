"""Training in compose and in its peers: seconds of an epoch, of the first one from a cold start, and the memory.

    python benchmarks/peers.py                          all of it, about 40 minutes on two quiet cores
    python benchmarks/peers.py --work cnn lstm --peers compose torch --rounds 1
    python benchmarks/peers.py --plot docs/peers.png    draws the table, too

Every peer does the same work as its own quick start would (see `peer/`). Each measurement is a process of its own; the
peers take turns, so that what else the machine does touches all of them. An epoch is the median of those after the
first; the table shows the median over the rounds. Cold is the time from the start of the process, imports and
compilation included, to the end of the first epoch.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peer.work import NAMES, WORK
from rich.console import Console
from rich.table import Table

PEERS = {
    "compose": "ours", "JAX by hand": "by_hand", "Flax Linen": "linen", "Flax NNX": "nnx_", "Equinox": "equinox_",
    "Keras, JAX": "keras_", "Keras, TensorFlow": "keras_", "torch": "pytorch", "torch compiled": "pytorch",
}  # fmt: skip
SHORT = {name.lower().replace(", ", "-").replace(" ", "-"): name for name in PEERS}
EPOCHS = 6
LONGEST = 5  # times ours, of a bar in the plot; longer ones end there and say how long they are


def measure(work: str, peer: str) -> None:
    """Print one measurement as JSON; nothing if the peer has no version of this work."""
    began = float(os.environ["STARTED"])
    if PEERS[peer] == "pytorch":
        import torch

        torch.set_num_threads(os.cpu_count() or 1)
    module = importlib.import_module(f"peer.{PEERS[peer]}")
    run = module.epoch(work, True) if peer == "torch compiled" else module.epoch(work)
    if run is None:
        return
    run()
    cold, times = time.time() - began, []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"epoch": statistics.median(times), "cold": cold, "MiB": peak}))


def measured(work: str, peer: str) -> dict[str, float] | None:
    """A measurement in a process of its own; None if there is none."""
    backend = "tensorflow" if peer == "Keras, TensorFlow" else "jax"
    env = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "STARTED": str(time.time())}
    command = [sys.executable, __file__, "--one", work, peer]
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    if found.returncode:
        print(f"{peer}, {work}: {found.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    lines = [line for line in found.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines and not found.returncode else None


def table(results: dict[tuple[str, str], list[dict[str, float]]], peers: list[str]) -> Table:
    shown = Table("", "", *peers, title="seconds; in brackets, times as long as compose")
    for work in dict.fromkeys(work for work, _ in results):
        for i, (what, form) in enumerate((("epoch", "{:.3f}"), ("cold", "{:.1f}"), ("MiB", "{:.0f}"))):
            values = [_median(results.get((work, peer)), what) for peer in peers]
            ours = values[peers.index("compose")] if "compose" in peers else None
            ratio = lambda v, ours=ours: f" ({v / ours:.2f})" if ours else ""
            cells = ["–" if v is None else form.format(v) + ratio(v) for v in values]
            shown.add_row(NAMES[work] if i == 0 else "", what, *cells)
    return shown


def _median(rows: list[dict[str, float]] | None, what: str) -> float | None:
    return statistics.median(row[what] for row in rows) if rows else None


def plot(results: dict[tuple[str, str], list[dict[str, float]]], peers: list[str], path: Path) -> None:
    """Bars of the epochs, in multiples of ours."""
    import matplotlib.pyplot as plt

    works = [work for work in WORK if (work, "compose") in results]
    figure, axes = plt.subplots(figsize=(9, 1 + 0.9 * len(works)), layout="constrained")
    height = 0.8 / len(peers)
    for i, peer in enumerate(peers):
        rows = [(j, _median(results.get((work, peer)), "epoch")) for j, work in enumerate(works)]
        rows = [(j, value / (_median(results[works[j], "compose"], "epoch") or 1)) for j, value in rows if value]
        axes.barh([j + i * height for j, _ in rows], [min(value, LONGEST) for _, value in rows], height, label=peer)
        for j, value in rows:
            if value > LONGEST:
                axes.annotate(f"{value:.0f} ", (LONGEST, j + i * height), ha="right", va="center", fontsize=7)
    axes.set_yticks([j + 0.4 - height / 2 for j in range(len(works))], [NAMES[work] for work in works])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(0, LONGEST)
    axes.set_xlabel("time of an epoch, in times that of compose")
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--peers", nargs="+", choices=list(SHORT), default=list(SHORT))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return measure(*options.one)
    peers = [SHORT[name] for name in options.peers]
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for work in options.work:
        for _ in range(options.rounds):
            for peer in peers:
                found = measured(work, peer)
                if found:
                    results.setdefault((work, peer), []).append(found)
    Console(width=40 + 16 * len(peers)).print(table(results, peers))
    if options.plot:
        plot(results, peers, options.plot)


if __name__ == "__main__":
    main()
