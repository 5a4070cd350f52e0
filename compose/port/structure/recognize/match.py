"""Matching patterns against the operations of a graph, from an operation backwards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compose.core.layer import Layer
from compose.port.ir.graph import Op
from compose.port.structure.recognize import words
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.pattern import Call, Number, Pattern, Product, Slot, Sum, Var
from compose.port.structure.recognize.terms import Term, defaults_of, factors_of, reading, shares, terms_of

TOLERANCE = 1e-9  # relative, of a number in a pattern: a larger difference would show in the proof


@dataclass(frozen=True)
class Match:
    """What a pattern stands for.

    Attributes:
        values: the value of each `Var`.
        numbers: the number or option of each `Slot`.
        ops: the outputs of the operations that the pattern covers.
    """

    values: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    ops: frozenset[int] = frozenset()

    def covering(self, *outputs: int) -> Match:
        return Match(self.values, self.numbers, self.ops | set(outputs))


def match(pattern: Pattern, op: Op, graph: Operations) -> Match | None:
    """How the pattern matches the operation, if nothing else reads a value inside; None if it does not."""
    found = _Matcher(graph).matches(pattern, Term(op.output), Match())
    return next((m for m in found if op.output in m.ops and graph.closed(m.ops, op.output)), None)


class _Matcher:
    """Patterns against terms: each method yields the matches that extend one."""

    def __init__(self, graph: Operations):
        self.producers, self.same = graph.producers, graph.same

    def matches(self, pattern: Pattern, term: Term, match: Match) -> Iterator[Match]:
        if isinstance(pattern, Var):
            value = self.same.get(term.value, term.value)
            if term.number == 1.0 and not term.inverse:
                known = match.values.get(pattern.name)
                if known is None:
                    yield Match({**match.values, pattern.name: term.value}, match.numbers, match.ops)
                elif self.same.get(known, known) == value:
                    yield match
        elif isinstance(pattern, Call):
            yield from self._call(pattern, term, match)
        elif isinstance(pattern, Product):
            for number, factors, ops in self._products(term, len(pattern.factors)):
                bound = _bound(pattern.number, number, match)
                if bound is not None:
                    yield from self._any_order(pattern.factors, factors, bound.covering(*ops))
        elif isinstance(pattern, Sum):
            for number, terms, ops in self._sums(term, len(pattern.terms)):
                bound = _bound(pattern.number, number, match)
                if bound is not None:
                    yield from self._any_order(pattern.terms, terms, bound.covering(*ops))

    def _any_order(self, patterns: tuple[Pattern, ...], terms: tuple[Term, ...], match: Match) -> Iterator[Match]:
        if not patterns:
            yield match
            return
        for i, term in enumerate(terms):
            for bound in self.matches(patterns[0], term, match):
                yield from self._any_order(patterns[1:], terms[:i] + terms[i + 1 :], bound)

    def _call(self, pattern: Call, term: Term, match: Match) -> Iterator[Match]:
        if term.number != 1.0:
            return
        if pattern.word == words.RECIPROCAL and term.inverse:
            yield from self.matches(pattern.args[0], Term(term.value), match)
            return
        op = self.producers.get(term.value)
        word, options = ("", {}) if op is None else reading(op.layer)
        if term.inverse:  # 1 / sqrt(x)
            word = {words.SQRT: words.RSQRT}.get(word, "")
        if op is None or word != pattern.word or len(op.inputs) != len(pattern.args):
            if op is not None and not term.inverse and word == words.RECIPROCAL and pattern.word == words.RSQRT:
                bound = match.covering(op.output)
                yield from self._call(pattern, Term(op.inputs[0], inverse=True), bound)
            return
        bound = _options(pattern, op.layer, options, match.covering(op.output))
        matches = iter(()) if bound is None else iter((bound,))
        for arg, value in zip(pattern.args, op.inputs):
            matches = self._each(arg, Term(value), matches)
        yield from matches

    def _each(self, pattern: Pattern, term: Term, matches: Iterator[Match]) -> Iterator[Match]:
        for match in matches:
            yield from self.matches(pattern, term, match)

    def _products(self, term: Term, n: int) -> Iterator[tuple[float, tuple[Term, ...], tuple[int, ...]]]:
        """The ways to read a term as a number and n factors, and the operations that multiply these."""
        op = self.producers.get(term.value)
        number, factors = (1.0, ()) if op is None else factors_of(op)
        if op is not None and factors and number != 0.0:
            number = term.number * (1 / number if term.inverse else number)
            factors = [Term(f.value, f.number, f.inverse != term.inverse) for f in factors]
            for sizes in shares(n, len(factors)):
                for parts in itertools.product(*(list(self._products(f, k)) for f, k in zip(factors, sizes))):
                    yield _joined(number * math.prod(part[0] for part in parts), op, parts)
        if n == 1:
            yield term.number, (Term(term.value, inverse=term.inverse),), ()

    def _sums(self, term: Term, n: int) -> Iterator[tuple[float, tuple[Term, ...], tuple[int, ...]]]:
        """The ways to read a term as a number and n terms, and the operations that add these."""
        op = self.producers.get(term.value)
        number, terms = (0.0, ()) if op is None or term.inverse else terms_of(op)
        if op is not None and terms:
            terms = [Term(t.value, t.number * term.number) for t in terms]
            for sizes in shares(n, len(terms)):
                for parts in itertools.product(*(list(self._sums(t, k)) for t, k in zip(terms, sizes))):
                    yield _joined(number * term.number + sum(part[0] for part in parts), op, parts)
        if n == 1:
            yield 0.0, (term,), ()


def _joined(number: float, op: Op, parts: tuple) -> tuple[float, tuple[Term, ...], tuple[int, ...]]:
    return number, tuple(t for p in parts for t in p[1]), (op.output, *(o for p in parts for o in p[2]))


def _bound(wanted: Number, number: float, match: Match) -> Match | None:
    """The match with a number in its slot, or None where it is another number."""
    if isinstance(wanted, Slot):
        return _filled(wanted, number, match)
    return match if math.isclose(number, wanted, rel_tol=TOLERANCE) else None


def _filled(slot: Slot, value: Any, match: Match) -> Match | None:
    if slot.name in match.numbers:
        return match if match.numbers[slot.name] == value else None
    return Match(match.values, {**match.numbers, slot.name: value}, match.ops)


def _options(call: Call, layer: Layer, options: dict[str, Any], match: Match) -> Match | None:
    """The match with the options of a word in their slots, or None where the word has others."""
    wanted, usual = dict(call.options), defaults_of(layer)
    for name in {**wanted, **options}:
        given, value = options.get(name, usual.get(name)), wanted.get(name, usual.get(name))
        if isinstance(value, Slot):
            bound = _filled(value, given, match)
            if bound is None:
                return None
            match = bound
        elif isinstance(value, float) and isinstance(given, (int, float)):
            if not math.isclose(given, value, rel_tol=TOLERANCE):
                return None
        elif given != value:
            return None
    return match
