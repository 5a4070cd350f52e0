"""Training on a GPU: milliseconds of a step, and the share of the rate that the card's own matrix products reach.

    python benchmarks/gpu.py                     all of it, under eight minutes
    python benchmarks/gpu.py --work lm --peers fit step
    python benchmarks/gpu.py --tiny              small sizes, to try the script on a CPU

A language model of 12 blocks of 768 features and a ResNet-50, in bfloat16 and float32: `fit`, a training step written
by hand in JAX around `net.apply`, and PyTorch, eager and compiled. Each measurement is a process of its own. FLOPs are
those that XLA counts in the written-out network; the peak is the rate of one large product in the same precision.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from typing import Any

from accelerator.work import PRECISIONS, WORK
from rich.console import Console
from rich.table import Table

PEERS = {"fit": "ours", "step": "ours", "torch": "pytorch", "torch-compiled": "pytorch"}
SECONDS = 150  # a measurement that takes longer is given up


def measured(work: str, precision: str, peer: str, tiny: bool) -> dict[str, Any]:
    """A measurement in a process of its own: `ms`, the device's name, `flops` and `peak` where they are known."""
    command = [sys.executable, __file__, "--one", work, precision, peer, *(["--tiny"] if tiny else [])]
    env = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {SECONDS} s"}
    lines = [line for line in found.stdout.splitlines() if line.startswith("{")]
    if found.returncode or not lines:
        return {"error": (found.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(lines[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        work, precision, peer = options.one
        module = importlib.import_module(f"accelerator.{PEERS[peer]}")
        print(json.dumps(module.measure(work, precision, peer, options.tiny)))
        return
    shown = Table("work", "precision", "peer", "ms a step", "× fit", "TFLOP/s", "of the peak", title="training steps")
    device, errors = "", []
    for work in options.work:
        for precision in options.precisions:
            rows = {peer: measured(work, precision, peer, options.tiny) for peer in options.peers}
            flops = next((row["flops"] for row in rows.values() if row.get("flops")), None)
            peak = next((row["peak"] for row in rows.values() if row.get("peak")), None)
            ours = rows.get("fit", {}).get("ms")
            for peer, row in rows.items():
                device = row.get("device", device)
                if "error" in row:
                    errors.append(f"{work}, {precision}, {peer}: {row['error']}")
                    continue
                rate = flops / row["ms"] * 1e3 if flops else None
                cells = (
                    f"{row['ms']:.2f}",
                    f"{row['ms'] / ours:.2f}" if ours else "–",
                    f"{rate / 1e12:.2f}" if rate else "–",
                    f"{rate / peak:.0%}" if rate and peak else "–",
                )
                shown.add_row(work, precision, peer, *cells)
    console = Console(width=110)
    console.print(shown)
    console.print(device, *errors, sep="\n", highlight=False)


if __name__ == "__main__":
    main()
