"""Matching patterns against the operations of a graph, from an operation backwards."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compose.core.function import Function
from compose.core.layer import Layer
from compose.port.ir.graph import Op
from compose.port.structure.recognize import words
from compose.port.structure.recognize.pattern import Call, Number, Pattern, Product, Slot, Sum, Var
from compose.port.structure.recognize.shapes import Shapes

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


@dataclass(frozen=True)
class Term:
    """`number · value`, or with `inverse` `number / value`."""

    value: int
    number: float = 1.0
    inverse: bool = False


class Operations:
    """A list of operations with who computes and who reads each value.

    Args:
        ops: in an order in which they can run.
        output: the value that the graph returns.
        shapes: of its values.
    """

    def __init__(self, ops: list[Op], output: int, shapes: Shapes):
        self.ops, self.output, self.shapes = ops, output, shapes
        self.producers = {op.output: op for op in ops}
        self.readers = Counter(v for op in ops for v in op.inputs)
        self.readers[output] += 1
        self.readers_of = {v: op for op in ops for v in op.inputs}
        self.uses = Counter(take.source for op in ops for take in op.takes())
        self.count = max((v for op in ops for v in (op.output, *op.inputs)), default=0)
        self.same: dict[int, int] = {}  # values computed alike, as the first of them
        first: dict[tuple, int] = {}
        for op in ops:
            key = (op.layer, tuple(self.same.get(v, v) for v in op.inputs))
            alike = isinstance(op.layer, Function)
            self.same[op.output] = first.setdefault(key, op.output) if alike else op.output

    def but(self, ops: list[Op]) -> Operations:
        """The same graph with other operations."""
        return Operations(ops, self.output, self.shapes)

    def shape(self, value: int) -> tuple[int, ...] | None:
        """The shape of a value, or None where it is not known."""
        return self.shapes.of(value, self.producers)

    def fresh(self) -> int:
        """A number that no value has."""
        self.count += 1
        return self.count

    def reader(self, value: int) -> Op | None:
        """The operation that reads a value, if there is one and nothing else reads it."""
        reader = self.readers_of.get(value)
        return reader if self.readers[value] == 1 else None

    def shared(self, op: Op) -> bool:
        """Whether the weights of an operation are used by others too, which may have other neighbours."""
        return any(self.uses[take.source] > 1 for take in op.takes())

    def match(self, pattern: Pattern, op: Op) -> Match | None:
        """How the pattern matches the operation, if nothing else reads a value inside."""
        found = self._match(pattern, Term(op.output), Match())
        return next((m for m in found if op.output in m.ops and self.closed(m.ops, op.output)), None)

    def closed(self, ops: frozenset[int] | set[int], root: int) -> bool:
        """Whether of these operations only the root is read elsewhere."""
        inside = Counter(v for o in ops for v in self.producers[o].inputs)
        return all(inside[o] == self.readers[o] for o in ops if o != root)

    def _match(self, pattern: Pattern, term: Term, match: Match) -> Iterator[Match]:
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
            for bound in self._match(patterns[0], term, match):
                yield from self._any_order(patterns[1:], terms[:i] + terms[i + 1 :], bound)

    def _call(self, pattern: Call, term: Term, match: Match) -> Iterator[Match]:
        if term.number != 1.0:
            return
        if pattern.word == words.RECIPROCAL and term.inverse:
            yield from self._match(pattern.args[0], Term(term.value), match)
            return
        op = self.producers.get(term.value)
        word, options = ("", {}) if op is None else _reading(op.layer)
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
            yield from self._match(pattern, term, match)

    def _products(self, term: Term, n: int) -> Iterator[tuple[float, tuple[Term, ...], tuple[int, ...]]]:
        """The ways to read a term as a number and n factors, and the operations that multiply these."""
        op = self.producers.get(term.value)
        number, factors = (1.0, ()) if op is None else _factors(op)
        if op is not None and factors and number != 0.0:
            number = term.number * (1 / number if term.inverse else number)
            factors = [Term(f.value, f.number, f.inverse != term.inverse) for f in factors]
            for sizes in _shares(n, len(factors)):
                for parts in itertools.product(*(list(self._products(f, k)) for f, k in zip(factors, sizes))):
                    yield _joined(number * math.prod(part[0] for part in parts), op, parts)
        if n == 1:
            yield term.number, (Term(term.value, inverse=term.inverse),), ()

    def _sums(self, term: Term, n: int) -> Iterator[tuple[float, tuple[Term, ...], tuple[int, ...]]]:
        """The ways to read a term as a number and n terms, and the operations that add these."""
        op = self.producers.get(term.value)
        number, terms = (0.0, ()) if op is None or term.inverse else _terms(op)
        if op is not None and terms:
            terms = [Term(t.value, t.number * term.number) for t in terms]
            for sizes in _shares(n, len(terms)):
                for parts in itertools.product(*(list(self._sums(t, k)) for t, k in zip(terms, sizes))):
                    yield _joined(number * term.number + sum(part[0] for part in parts), op, parts)
        if n == 1:
            yield 0.0, (term,), ()


def _joined(number: float, op: Op, parts: tuple) -> tuple[float, tuple[Term, ...], tuple[int, ...]]:
    return number, tuple(t for p in parts for t in p[1]), (op.output, *(o for p in parts for o in p[2]))


def _shares(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write n as a sum of so many positive numbers."""
    if parts == 1 and n > 0:
        yield (n,)
    if parts < 2:
        return
    for first in range(1, n - parts + 2):
        for rest in _shares(n - first, parts - 1):
            yield (first, *rest)


def _reading(layer: Layer) -> tuple[str, dict[str, Any]]:
    """A function's word and options; powers with a word of their own are called by it."""
    if not isinstance(layer, Function):
        return "", {}
    options = dict(layer.options)
    if layer.kind == words.POWER:
        word = {0.5: words.SQRT, -0.5: words.RSQRT, -1.0: words.RECIPROCAL}.get(options.get("exponent"))
        return (word, {}) if word else (layer.kind, options)
    return layer.kind, options


def _factors(op: Op) -> tuple[float, tuple[Term, ...]]:
    """What an operation multiplies: a number and its factors; () for any other operation."""
    word, options = _reading(op.layer)
    values = tuple(map(Term, op.inputs))
    if word == words.MULTIPLY:
        return 1.0, values
    if word == words.DIVIDE and len(values) == 2:
        return 1.0, (values[0], Term(op.inputs[1], inverse=True))
    if word == words.RECIPROCAL:
        return 1.0, (Term(op.inputs[0], inverse=True),)
    if word == words.SCALE:
        return float(options.get("by", 1.0)), values
    if word == words.SQUARE or (word == words.POWER and options.get("exponent") in (2, 3)):
        return 1.0, values * int(options.get("exponent", 2))
    return 1.0, ()


def _terms(op: Op) -> tuple[float, tuple[Term, ...]]:
    """What an operation adds: a number and its terms; () for any other operation."""
    word, options = _reading(op.layer)
    if word == words.ADD:
        return 0.0, tuple(map(Term, op.inputs))
    if word == words.SUBTRACT and len(op.inputs) == 2:
        return 0.0, (Term(op.inputs[0]), Term(op.inputs[1], -1.0))
    if word == words.ADD_CONSTANT:
        return float(options.get("value", 0.0)), (Term(op.inputs[0]),)
    if word == words.SCALE:
        return 0.0, (Term(op.inputs[0], float(options.get("by", 1.0))),)
    return 0.0, ()


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
    wanted, usual = dict(call.options), _defaults(layer)
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


def _defaults(layer: Layer) -> dict[str, Any]:
    return _signature(layer.fn) if isinstance(layer, Function) else {}


@functools.cache
def _signature(fn: Callable) -> dict[str, Any]:
    """The options of a function that have a default, and this."""
    parameters = inspect.signature(fn).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}
