"""Rewriters, applied to the operations of a graph until none matches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from compose.combinators import identity
from compose.core.layer import Layer
from compose.port.ir.graph import Op
from compose.port.structure.recognize import words
from compose.port.structure.recognize.match import Match, match
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.pattern import Call, Pattern, Product, Sum


@dataclass(frozen=True)
class Replacement:
    """Operations, by their outputs, and what replaces them; the last of the new ones computes the root's value."""

    old: frozenset[int]
    new: tuple[Op, ...]


@dataclass(frozen=True)
class Rewriter:
    """What replaces an operation and some before it.

    Attributes:
        roots: the kinds of layers that the last operation may have.
        replacement: for an operation of such a kind; None where it does not apply.
    """

    roots: frozenset[str]
    replacement: Callable[[Op, Operations], Replacement | None]


def rule(pattern: Pattern, layer: Callable[[Match, Operations], Layer | None], *inputs: str) -> Rewriter:
    """A rewriter of what a pattern matches into one layer.

    Args:
        layer: from the match; None where it does not apply.
        inputs: the variables of the pattern that the layer reads, `"x"` by default.
    """

    def replacement(op: Op, graph: Operations) -> Replacement | None:
        matched = match(pattern, op, graph)
        found = None if matched is None else layer(matched, graph)
        if matched is None or found is None:
            return None
        values = tuple(matched.values[name] for name in inputs or ("x",))
        return Replacement(matched.ops, (replace(op, layer=found, inputs=values),))

    return Rewriter(_roots(pattern), replacement)


def always(layer: Layer) -> Callable[[Match, Operations], Layer]:
    """One layer for every match of a pattern."""
    return lambda match, graph: layer


def rewrite(graph: Operations, rewriters: Iterable[Rewriter]) -> Operations:
    """The operations after all rewriters, in passes: matches of one pass do not overlap."""
    by_root: dict[str, list[Rewriter]] = defaultdict(list)
    for rewriter in rewriters:
        for kind in rewriter.roots:
            by_root[kind].append(rewriter)
    while True:
        found: dict[int, Replacement] = {}
        covered: set[int] = set()
        for op in graph.ops:
            for rewriter in by_root.get(op.layer.kind, ()):
                replacement = rewriter.replacement(op, graph)
                if replacement is not None and not replacement.old & covered:
                    found[op.output] = replacement
                    covered |= replacement.old
                    break
        if not found:
            return graph
        ops: list[Op] = []
        for op in graph.ops:
            ops += found[op.output].new if op.output in found else () if op.output in covered else (op,)
        graph = graph.but(_without_identities(ops, graph.output))


def _without_identities(ops: list[Op], output: int) -> list[Op]:
    """The operations without identities, but for one that computes the output."""
    source: dict[int, int] = {}
    kept: list[Op] = []
    for op in ops:
        op = replace(op, inputs=tuple(source.get(v, v) for v in op.inputs))
        if op.layer == identity and len(op.inputs) == 1 and op.output != output:
            source[op.output] = op.inputs[0]
        else:
            kept.append(op)
    return kept


def _roots(pattern: Pattern) -> frozenset[str]:
    """The kinds of layers that an operation matched by the pattern may have."""
    if isinstance(pattern, Product):
        return frozenset((words.MULTIPLY, words.DIVIDE, words.SCALE, words.RECIPROCAL, words.SQUARE, words.POWER))
    if isinstance(pattern, Sum):
        return frozenset((words.ADD, words.SUBTRACT, words.ADD_CONSTANT))
    if isinstance(pattern, Call):
        also = (words.RECIPROCAL, words.DIVIDE, words.POWER) if pattern.word in (words.RSQRT, words.RECIPROCAL) else ()
        return frozenset((pattern.word, *also))
    return frozenset()
