"""The matrix products and convolutions that a compiled program runs, and how often."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*?)\)(.*)$")
CALLED = re.compile(r"(?:calls|to_apply|body)=%?([\w.\-]+)")
BRANCHES = re.compile(r"branch_computations=\{(.*?)\}")
TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
WINDOW = re.compile(r"(\w+)=([\w\-]+)")


@dataclass(frozen=True)
class Product:
    """A product of arrays of these shapes, over the contracted and the batch axes of both."""

    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    contracted: tuple[tuple[int, ...], tuple[int, ...]]
    batch: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def flops(self) -> int:
        (left, right), (_, summed), (_, shared) = self.shapes, self.contracted, self.batch
        count = 2
        for n in left:
            count *= n
        for axis, n in enumerate(right):
            count *= 1 if axis in summed or axis in shared else n
        return count


@dataclass(frozen=True)
class Convolution:
    """A convolution of arrays of these shapes, with HLO's names of their axes, such as `b01f_01io->b01f`."""

    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    out: tuple[int, ...]
    labels: str
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    stretch: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def flops(self) -> int:
        filters = self.labels.partition("_")[2].index("o")
        count = 2
        for n in (*self.out, *(n for axis, n in enumerate(self.shapes[1]) if axis != filters)):
            count *= n
        return count


def operations(text: str) -> Counter[Product | Convolution]:
    """Those of a compiled program, with the number of times that each runs. `text` is its HLO."""
    computations: dict[str, list[re.Match[str]]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith("HloModule"):
            name = line.removeprefix("ENTRY ").split()[0].lstrip("%")
            entry = name if line.startswith("ENTRY") else entry
            lines = computations.setdefault(name, [])
        elif found := INSTRUCTION.match(line):
            lines.append(found)
    counted: Counter[Product | Convolution] = Counter()
    _count(entry, 1, computations, counted)
    return counted


def _count(name: str, times: int, computations, counted) -> None:
    shapes = {found[1]: _shape(found[2]) for found in computations.get(name, ())}
    for found in computations.get(name, ()):
        out, kind, arguments, rest = found.group(2, 3, 4, 5)
        if kind in ("dot", "convolution"):
            names = re.findall(r"%([\w.\-]+)", arguments)
            operands = (shapes[names[0]], shapes[names[1]])
            make = _product if kind == "dot" else _convolution
            counted[make(operands, _shape(out), rest)] += times
            continue
        turns = int(m[1]) if (m := TURNS.search(rest)) else 1
        inner = CALLED.findall(rest)
        if m := BRANCHES.search(rest):
            inner += [m[1].split(",")[0].strip().lstrip("%")]
        for called in inner:
            _count(called, times * turns, computations, counted)


def _shape(text: str) -> tuple[int, ...]:
    found = re.match(r"\w+\[([\d,]*)\]", text)
    return tuple(map(int, filter(None, found[1].split(",")))) if found else ()


def _product(shapes, out, rest: str) -> Product:
    axes = lambda name: (
        tuple(map(int, filter(None, m[1].split(",")))) if (m := re.search(name + r"=\{(.*?)\}", rest)) else ()
    )
    pair = lambda what: (axes(f"lhs_{what}"), axes(f"rhs_{what}"))
    return Product(shapes, pair("contracting_dims"), pair("batch_dims"))


def _convolution(shapes, out, rest: str) -> Convolution:
    found = re.search(r"window=\{(.*?)\}", rest)
    window = dict(WINDOW.findall(found[1])) if found else {}
    labels = re.search(r"dim_labels=(\S+?)(?:,|$)", rest)
    assert labels
    rank = len(shapes[0]) - 2
    each = lambda key: tuple(map(int, window[key].split("x"))) if key in window else (1,) * rank
    ends = window.get("pad", "x".join(["0_0"] * rank)).split("x")
    padding = tuple((int(a), int(b)) for a, b in (end.split("_") for end in ends))
    groups = int(m[1]) if (m := re.search(r"feature_group_count=(\d+)", rest)) else 1
    return Convolution(
        shapes, out, labels[1], each("stride"), padding, each("lhs_dilate"), each("rhs_dilate"), groups,
    )  # fmt: skip
