"""How many families of Hugging Face's transformers and of timm port, each with its proof.

    python benchmarks/port_zoo.py --out transformers.jsonl             all that the file does not have yet
    python benchmarks/port_zoo.py --out timm.jsonl --timm
    python benchmarks/port_zoo.py --out transformers.jsonl gpt2 t5     these again

Nothing is downloaded: a transformer is made of a small configuration, of timm there is one small model a family,
all with random weights. Needs `transformers` and `timm` beside what `compose` needs.
"""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path

from port_coverage import measure, note, read, run, table, torch_port
from zoo import TIMM, TRANSFORMERS, timm_model, transformer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="by default every model that the file does not have")
    parser.add_argument("--out", type=Path, required=True, help="the JSON lines file that is added to")
    parser.add_argument("--timm", action="store_true", help="timm's families instead of transformers")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a model")
    parser.add_argument("--level", choices=("none", "outputs", "gradients"), default="gradients", help="of the proof")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        ports = functools.partial(torch_port, build=timm_model if args.timm else transformer)
        print(json.dumps(measure(args.one, ports, args.level)))
        return
    names = TIMM if args.timm else tuple(TRANSFORMERS)
    rows = read(args.out)
    for model in args.models or [name for name in names if name not in rows]:
        rows[model] = run(model, args, __file__, ["--timm"] * args.timm)
        note(rows[model], args.out)
    print("\n" + table(rows, len(names)))


if __name__ == "__main__":
    main()
