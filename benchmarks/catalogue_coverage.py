"""Which layer classes of torch.nn and keras.layers have an expression here, and where that is proven.

    PYTHONPATH=. python benchmarks/catalogue_coverage.py            the shares and what is missing; --all: every row

The classes are listed from the frameworks themselves: a class that no table knows makes the script fail, and so does
an expression that does not parse or that no kind of input fits. A proof is a case of tests/cases, which
tests/layers/test_every_layer.py runs against its reference in float64; `torch` marks those whose output and gradients
tests/layers/test_against_torch.py and its neighbours hold to PyTorch.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import sys
from dataclasses import dataclass

os.environ.setdefault("KERAS_BACKEND", "jax")

import catalogue_keras
import catalogue_torch
from rich.console import Console
from rich.table import Table

from compose import Layer, LayerError, parse, spec
from tests.cases.in_torch import in_torch
from tests.cases.subject import families

FLOATS = [(8,), (4, 8), (4, 4, 8), (8, 8, 8), (4, 4, 4, 8), (36, 72), (8, 3)]
INPUTS = [(s,) for s in FLOATS] + [(s, s) for s in FLOATS] + [(s, s, s) for s in FLOATS]
INPUTS += [
    (spec(4, dtype=int),),
    ((6, 6, 72),),
    ((4, 4, 1),),
    ((4, 4, 3),),
    ((spec(8), spec(8)), spec(8)),
    ((8, 8, 8), spec(8, 8, 8, dtype=int)),
    ((8, 8, 3), (8,)),
]
NOT_PROOF = {"compose_seq", "relu", "identity"}  # words that stand beside others in nearly every expression


@dataclass
class Row:
    """A class, its expression or the reason for having none, and the cases that prove it."""

    name: str
    expression: str = ""
    reason: str = ""
    proof: str = ""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--all", action="store_true", help="print every class")
    show_all = options.parse_args().all
    console = Console(width=None if sys.stdout.isatty() else 150)
    proofs = cases_of_words()
    t, k = catalogue_torch, catalogue_keras
    torch_names, keras_names = torch_classes(), keras_classes()
    losses = [n for n in torch_names if t.is_loss(n)]
    counted = [n for n in torch_names if n not in losses]
    torch_rows = rows(counted, t.LAYERS, {**t.MISSING}, t.EXCLUDED, proofs)
    preparation = spread(k.PREPARATION) | spread(k.UNPREPARED)
    prepared = rows([n for n in keras_names if n in preparation], k.PREPARATION, k.UNPREPARED, {}, proofs)
    keras_rows = rows([n for n in keras_names if n not in preparation], k.LAYERS, k.MISSING, k.EXCLUDED, proofs)
    groups = [
        ("torch.nn", torch_rows, t.EXCLUDED, f"{len(losses)} losses"),
        ("keras.layers", keras_rows, k.EXCLUDED, f"{len(prepared)} that prepare data, below"),
        ("keras.layers, data preparation", prepared, {}, ""),
    ]
    shares = Table("catalogue", "classes", "with an expression", "proven", "share", "left out")
    for title, made, excluded, also in groups:
        have, proven = [r for r in made if r.expression], [r for r in made if r.proof]
        left = ", ".join(filter(None, [f"{len(spread(excluded))} bases and containers" if excluded else "", also]))
        shares.add_row(title, str(len(made)), str(len(have)), str(len(proven)), f"{len(proven) / len(made):.1%}", left)
        if show_all:
            console.print(table(title, made))
    console.print(shares)
    for title, made, excluded, _ in groups:
        for row in made:
            if not row.proof:
                console.print(f"missing of {title}: {row.name}: {row.reason or 'no proof of ' + row.expression}")
        for names, reason in excluded.items():
            console.print(f"left out of {title}: {names}: {reason}")


def torch_classes() -> list[str]:
    import torch

    return [n for n, c in vars(torch.nn).items() if inspect.isclass(c) and issubclass(c, torch.nn.Module)]


def keras_classes() -> list[str]:
    """Names of `keras.layers`, of several for one class the one that the class has itself."""
    import keras

    classes = {n: c for n, c in vars(keras.layers).items() if inspect.isclass(c)}
    return [n for n, c in classes.items() if c.__name__ == n or c.__name__ not in classes]


def rows(names: list[str], layers: dict, missing: dict, excluded: dict, proofs: dict) -> list[Row]:
    """A row for each class that is not excluded. Raises where a table does not know a class, or knows one too many."""
    have, lack, out = spread(layers), spread(missing), spread(excluded)
    unknown = [n for n in names if n not in have | lack | out]
    gone = [n for n in have | lack | out if n not in names]
    if unknown or gone:
        raise SystemExit(f"the tables do not fit the framework: unknown {unknown}, not in it {gone}")
    made = []
    for name in sorted(n for n in names if n not in out):
        expression = have.get(name, "")
        made.append(Row(name, expression, lack.get(name, ""), proof(expression, proofs) if expression else ""))
    return made


def proof(expression: str, proofs: dict[str, tuple[int, int, set]]) -> str:
    """Where the words of an expression are proven: the families and how many cases; none if a word has none."""
    net = parse(expression)
    if not any(fits(net, inputs) for inputs in INPUTS):
        raise SystemExit(f"no input fits {expression}")
    found = words_of(str(net))
    needed = (found - NOT_PROOF) or found
    if any(word not in proofs for word in needed):
        return ""
    total = sum(proofs[w][0] for w in needed)
    torch = sum(proofs[w][1] for w in needed)
    return f"{', '.join(sorted(set().union(*(proofs[w][2] for w in needed))))}: {total} cases, {torch} torch"


def fits(net: Layer, inputs: tuple) -> bool:
    """Whether the network can be planned for such inputs."""
    try:
        net.out(*inputs)
    except (LayerError, TypeError, ValueError):
        return False
    return True


def cases_of_words() -> dict[str, tuple[int, int, set[str]]]:
    """For each word how many cases with a reference use it, how many of those are PyTorch's, and in which families."""
    found: dict[str, tuple[int, int, set[str]]] = {}
    for what in ("CASES", "OPTIONS"):
        for family, cases in families(what).items():
            for case in cases:
                given = [r for r in (case.reference, case.train_reference) if r is not None]
                for word in words_of(str(case.layer)) if given else ():
                    n, torch, where = found.get(word, (0, 0, set()))
                    found[word] = n + 1, torch + any(isinstance(r, in_torch) for r in given), where | {family}
    return found


def words_of(text: str) -> set[str]:
    bound = {a.arg for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Lambda) for a in n.args.args}
    bound |= {n.target.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.NamedExpr)}
    return {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} - bound


def spread(table: dict[str, str]) -> dict[str, str]:
    """One entry for each of the names that a key holds."""
    return {name: value for names, value in table.items() for name in names.split()}


def table(title: str, made: list[Row]) -> Table:
    shown = Table("class", "expression", "proof", title=title)
    for row in made:
        shown.add_row(row.name, row.expression or f"— {row.reason}", row.proof)
    return shown


if __name__ == "__main__":
    main()
