"""The tasks of a working day in compose and in Keras: lines of each, and that both run.

    python benchmarks/working_day.py                   runs all of them, in a few minutes, and prints the table
    python benchmarks/working_day.py --count           counts alone
    python benchmarks/working_day.py diabetes iris     some

Each task of `day/` is three functions: `diabetes_data` gives the arguments, and its docstring says what is to
be done; `diabetes_ours` and `diabetes_keras` do it and return whether it came out well. What is counted are the lines
of their bodies, and of the classes and functions of the module that they name.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lines import lines_of  # noqa: E402

FOLDER = Path(__file__).with_name("day")
MODULES = ("tables", "images", "sequences", "own_losses", "options", "streams", "looking")
SIDES = ("ours", "keras")


def tasks() -> dict[str, tuple[str, str, dict[str, int]]]:
    """By name: the module, what is to be done, and the lines of each side."""
    found = {}
    for module in MODULES:
        source = (FOLDER / f"{module}.py").read_text()
        known = {n.name: n for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        for name in (n.removesuffix("_data") for n in known if n.endswith("_data")):
            lines = {side: _lines(known[f"{name}_{side}"], known, source) for side in SIDES}
            found[name] = module, ast.get_docstring(known[f"{name}_data"]) or "", lines
    return found


def _lines(node: ast.FunctionDef, known: dict[str, ast.stmt], source: str) -> int:
    """The lines of the body, and of the whole definitions that it names."""
    first, last = node.body[0].lineno, node.end_lineno
    body = textwrap.dedent("\n".join(source.splitlines()[first - 1 : last]))
    named = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & known.keys()
    return lines_of(body) + sum(lines_of(ast.get_source_segment(source, known[n]) or "") for n in named)


def run(name: str, side: str) -> float:
    """The seconds that one side takes. Raises `AssertionError` if it did not come out well."""
    module = importlib.import_module(f"benchmarks.day.{tasks()[name][0]}")
    arguments = getattr(module, f"{name}_data")()
    start = time.perf_counter()
    assert getattr(module, f"{name}_{side}")(*arguments), f"{name} in {side} did not come out well"
    return time.perf_counter() - start


def fresh() -> None:
    """Keras without what the last task set for all; without packages that it needs, it neither draws nor logs."""
    import keras

    keras.utils.clear_session()
    keras.distribution.set_distribution(None)
    keras.mixed_precision.set_global_policy("float32")
    keras.utils.set_random_seed(0)
    if importlib.util.find_spec("pydot") is None:
        keras.utils.plot_model = lambda *args, **options: None
    if importlib.util.find_spec("tensorboard") is None:
        keras.callbacks.TensorBoard = lambda folder: keras.callbacks.Callback()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--count", action="store_true", help="count the lines, run nothing")
    options = parser.parse_args()
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_NUM_CPU_DEVICES": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    print("| task | compose | Keras |" + ("" if options.count else " seconds | seconds |"))
    print("|---|---|---|" + ("" if options.count else "---|---|"))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, (_, title, lines) in tasks().items():
            if options.tasks and name not in options.tasks:
                continue
            cells = [title, *map(str, lines.values())]
            for side in () if options.count else SIDES:
                fresh()
                with contextlib.redirect_stdout(io.StringIO()):
                    cells.append(f"{run(name, side):.1f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
