"""How many of torchvision's classifiers and of Keras's applications port, each with its proof.

    python benchmarks/port_coverage.py --out torch.jsonl                 all that the file does not have yet
    python benchmarks/port_coverage.py --out keras.jsonl --keras
    python benchmarks/port_coverage.py --out torch.jsonl resnet18 vit_b_16     these again

Each model runs in a process of its own, smallest first, so that its memory is returned, and adds one JSON line. Weights
are random, images as small as the model takes; `source` is how long its code takes to
write; errors are the largest relative ones in float64 on perturbed weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lines import lines_of
from zoo import keras_model, keras_models, torch_model, torch_models

COLUMNS = ("model", "parameters", "ported", "graph", "lines", "source", "forward", "gradients", "seconds")
MOST_FOR_GRADIENTS = 150e6  # parameters; above, float64 gradients on both sides do not fit in 24 GiB
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # each compiles for one run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="by default every model that the file does not have")
    parser.add_argument("--out", type=Path, required=True, help="the JSON lines file that is added to")
    parser.add_argument("--keras", action="store_true", help="keras.applications instead of torchvision")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for a model")
    parser.add_argument("--largest", type=float, default=float("inf"), help="parameters, above which a model waits")
    parser.add_argument("--level", choices=("none", "outputs", "gradients"), default="gradients", help="of the proof")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, keras_port if args.keras else torch_port, args.level)))
        return
    sizes = keras_models() if args.keras else torch_models()
    rows = read(args.out)
    todo = args.models or [
        m for m in sorted(sizes, key=sizes.__getitem__) if m not in rows and sizes[m] <= args.largest
    ]
    for model in todo:
        rows[model] = run(model, args, __file__, ["--keras"] * args.keras)
        note(rows[model], args.out)
    print("\n" + table(rows, len(sizes)))


def run(model: str, args: argparse.Namespace, script: str, options: list[str]) -> dict[str, Any]:
    """One model in a process of its own, of the script that was started."""
    command = [sys.executable, script, "--one", model, "--out", str(args.out), "--level", args.level, *options]
    variables = {**os.environ, "XLA_FLAGS": os.environ.get("XLA_FLAGS", QUICK)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout, env=variables)
    except subprocess.TimeoutExpired:
        return {"model": model, "ported": False, "note": f"more than {args.timeout:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"model": model, "ported": False, "note": f"exit status {done.returncode}: {last}"}
    return json.loads(done.stdout.splitlines()[-1])


def note(row: dict[str, Any], out: Path) -> None:
    """Add a row to the file, and show it."""
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(text(row), flush=True)


def measure(name: str, ports: Callable, level: str) -> dict[str, Any]:
    """Port one model and prove it; `ports(name, row)` gives the port, and notes the parameters."""
    from compose.core.errors import ComposeError

    started = time.perf_counter()
    row: dict[str, Any] = {"model": name, "ported": False}
    try:
        ported = ports(name, row)
        asked = time.perf_counter()
        source = ported.source
        row |= {"ported": True, "graph": "graph(" in str(ported.net), "lines": lines_of(source)}
        row["source"] = time.perf_counter() - asked
        if level == "gradients" and row["parameters"] > MOST_FOR_GRADIENTS:
            level, row["note"] = "outputs", "too large for gradients"
        if level != "none":
            prove(ported, level, row)
    except (ComposeError, NotImplementedError) as e:
        row["note"] = f"{type(e).__name__}: {e}"
    row["seconds"] = round(time.perf_counter() - started)
    return row


def keras_port(name: str, row: dict[str, Any]) -> Any:
    from compose import port

    model = keras_model(name)
    row["parameters"] = model.count_params()
    return port.from_keras(model)


def torch_port(name: str, row: dict[str, Any], build: Callable | None = None) -> Any:
    """The port of one of torchvision's models, or of another that `build` makes with its inputs."""
    from compose import port

    model, *inputs = (build or torch_model)(name)
    row["parameters"] = sum(p.numel() for p in model.parameters())
    return port.from_torch(model, *inputs)


def prove(ported: Any, level: str, row: dict[str, Any]) -> None:
    for check in ported.verify(level).rows:
        key = "forward" if check.check == "outputs" else check.check
        if key != "weights":
            row[key] = max(row.get(key, 0.0), check.error)


# The table.


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a file; of a model that is there twice, the later."""
    rows = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {row["model"]: row for row in rows}


def text(row: dict[str, Any]) -> str:
    def cell(key: str) -> str:
        value = row.get(key)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.1f} s" if key == "source" else f"{value:.1e}"
        return f"{value:,}" if isinstance(value, int) else str(value or "")

    note = str(row.get("note", "")).replace("\n", " ")[:160]
    return f"{row['model']:<24}" + "".join(f"{cell(c):>13}" for c in COLUMNS[1:]) + (f"  {note}" if note else "")


def table(rows: dict[str, dict[str, Any]], total: int) -> str:
    heading = f"{COLUMNS[0]:<24}" + "".join(f"{c:>13}" for c in COLUMNS[1:])
    ported = [r for r in rows.values() if r["ported"]]
    proven = lambda key: sum(r.get(key, 1.0) <= 1e-10 for r in ported)
    plain = sum(not r["graph"] for r in ported)
    found = f"{len(ported)} of {total} ported, {plain} without graph(...); "
    found += f"forward equal: {proven('forward')}, gradients: {proven('gradients')}"
    return "\n".join([heading, *map(text, rows.values()), found])


if __name__ == "__main__":
    main()
