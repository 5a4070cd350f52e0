"""How many of the models that frameworks test themselves with port, each with its proof.

    python benchmarks/port_suites.py torch_modules                   all that the file does not have yet
    python benchmarks/port_suites.py torch_modules Conv2d GRU        these groups again, with what was said of each
    python benchmarks/port_suites.py torch_modules --seconds 300     stops after that time; run again to go on
    python benchmarks/port_suites.py torch_modules --show            no run: the table, and what is not proven
    python benchmarks/port_suites.py torch_modules --again wrong crashed     those that came out so

A suite is a module in `benchmarks/suites` with `cases()`. Each case is ported and proven in float64 on perturbed
weights, outputs and gradients, for a second batch size too. A case is

- `proven`,
- `flat`: equal, but of outputs or gradients that are the same everywhere, which proves little,
- `refused`: a `PortError` from the port,
- `wrong`: a port whose proof fails,
- `crashed`: any other exception, or the end of the process,
- `late`: more than the time limit.

Results are lines of JSON in `--out`, `SUITE.jsonl` by default; of a case that is there twice, the later counts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import jax
from suites import Case, NoModel

from compose.core.errors import PortError

KINDS = ("proven", "flat", "refused", "wrong", "crashed", "late")
FRESH = 40  # cases after which compiled functions are dropped


class Late(BaseException):
    """A case took too long; no `except Exception` may catch it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="the name of a module in benchmarks/suites")
    parser.add_argument("groups", nargs="*", help="by default every case that the file does not have")
    parser.add_argument("--out", type=Path, help="the JSON lines file that is added to")
    parser.add_argument("--limit", type=int, default=60, help="seconds for a case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for this run")
    parser.add_argument("--again", nargs="*", default=(), choices=KINDS, help="the cases that came out so, once more")
    parser.add_argument("--show", action="store_true", help="run nothing")
    args = parser.parse_args()
    out = args.out or Path(f"{args.suite}.jsonl")
    rows = read(out)
    if not args.show:
        todo = {name for name, row in rows.items() if row["kind"] in args.again}
        run(args, rows, out, todo)
    shown = [row for row in rows.values() if not args.groups or row["group"] in args.groups]
    if args.show or args.groups:
        for row in shown:
            if row["kind"] not in ("proven", "absent"):
                print(f"{row['kind']:8} {row['case']}: {row['said']}")
    print("\n" + table(args.suite, shown))


def run(args: argparse.Namespace, rows: dict[str, Any], out: Path, todo: set[str]) -> None:
    """Run the cases that are named, or those without a row, and note each."""
    signal.signal(signal.SIGALRM, _late)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    started, count = time.monotonic(), 0
    for case in importlib.import_module(f"suites.{args.suite}").cases():
        if args.groups:
            wanted = case.group in args.groups
        else:
            wanted = case.name in todo if args.again else case.name not in rows
        if not wanted:
            continue
        if time.monotonic() - started > args.seconds:
            print("stopped; run again for the rest")
            return
        row = {"case": case.name, "group": case.group}
        with out.open("a") as file:
            begun = file.tell()
            file.write(json.dumps({**row, "kind": "crashed", "said": "the process ended", "seconds": 0}) + "\n")
        try:
            row |= outcome(case, args.limit)
        except BaseException:
            os.truncate(out, begun)
            raise
        os.truncate(out, begun)
        with out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        rows[case.name] = row
        count += 1
        if count % FRESH == 0:
            jax.clear_caches()
        if row["kind"] in ("wrong", "crashed"):
            print(f"{row['kind']:8} {case.name}: {row['said']}", flush=True)


def outcome(case: Case, limit: int) -> dict[str, Any]:
    """Port a case and prove it: one of `KINDS`, and what was said."""
    started = time.monotonic()
    signal.alarm(limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind, said = _outcome(case)
    except Late:
        kind, said = "late", f"more than {limit} s"
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)
        own = [f"{f.filename.rpartition('/compose/')[2]}:{f.lineno}" for f in where if "/compose/" in f.filename]
        kind, said = "crashed", f"{type(e).__name__}: {str(e)[:600]} at {' < '.join(own[::-1][:3])}"
    finally:
        signal.alarm(0)
    return {"kind": kind, "said": said, "seconds": round(time.monotonic() - started, 1)}


def _outcome(case: Case) -> tuple[str, str]:
    try:
        ported = case.port()
    except NoModel as e:
        return "absent", str(e)[:300]
    except PortError as e:
        return "refused", str(e)
    try:
        ported.verify(case.level, tolerance=case.tolerance)
    except PortError as e:
        failed = [line for line in str(e).splitlines() if line.startswith("  ✗")]
        flat = bool(failed) and all("proves nothing" in line for line in failed)
        return "flat" if flat else "wrong", f"{e}\n{ported.net}"[:2000]
    return "proven", ""


def _late(*_: Any) -> None:
    raise Late


# The table.


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a file; of a case that is there twice, the later."""
    rows = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {row["case"]: row for row in rows}


def table(suite: str, rows: list[dict[str, Any]]) -> str:
    """A row of counts for each group in which not all is proven, and one for all."""
    counts: dict[str, Counter] = {}
    for row in rows:
        if row["kind"] in KINDS:
            counts.setdefault(row["group"], Counter())[row["kind"]] += 1
    line = lambda name, c: f"{name:44}{c.total():>9}" + "".join(f"{c[kind] or '':>9}" for kind in KINDS)
    heading = f"{suite:44}{'tried':>9}" + "".join(f"{kind:>9}" for kind in KINDS)
    partly = [line(name, c) for name, c in counts.items() if c["proven"] < c.total()]
    every = sum(counts.values(), Counter())
    groups = sum(c["proven"] + c["flat"] > 0 for c in counts.values())
    share = (every["proven"] + every["flat"]) / max(every.total(), 1)
    last = f"{share:.1%} of the cases equal; {groups} of {len(counts)} groups have one that is"
    return "\n".join([heading, *partly, line("all", every), last])


if __name__ == "__main__":
    main()
