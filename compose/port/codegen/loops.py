"""Comprehensions for consecutive layers that differ in one number, and formulas for rates that grow with depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from compose.port.codegen.terms import Term, atom

_LEAST = 3  # the minimum number of layers in a loop
_STEPS = 150  # the maximum number of blocks over which a rate grows
_RATES = [n / 10 for n in range(1, 10)] + [n / 100 for n in range(1, 100)]
_SHORT = 6  # rates of at most this many characters need no formula
_PLAIN = {"call", "op", "atom", "row", "param"}


def rate_formulas(net: Term) -> Callable[[Term], Term]:
    """A function that writes rates that grow linearly over the blocks (stochastic depth) as `0.2 * 3 / 16`."""
    rates_of: dict[Term, list[Term]] = defaultdict(list)
    for term in net.walk():
        rate = _rate(term)
        if rate is not None:
            rates_of[_without_rate(term)].append(rate)
    formulas = {
        key: _formula({float(v.head) for v in rates if len(v.head) > _SHORT}) for key, rates in rates_of.items()
    }

    def change(term: Term) -> Term:
        if not term.args:
            return term
        rate, formula = _rate(term), formulas.get(_without_rate(term))
        if rate is None or formula is None:
            return term.but(args=tuple(map(change, term.args)))
        highest, steps = formula
        i = _step(float(rate.head), highest, steps)
        if i is None:
            return term
        text = Term("row", (f"{highest} * ", f" / {steps}"), (atom(str(i)),), ("depth",))
        return term.but(args=tuple(text if arg is rate else arg for arg in term.args))

    return change if any(formulas.values()) else lambda term: term


def _rate(term: Term) -> Term | None:
    rate = term.get("rate") if term.kind == "call" else None
    return rate if rate is not None and rate.kind == "atom" else None


def _without_rate(term: Term) -> Term:
    kept = [(n, a) for n, a in zip(term.names, term.args) if n != "rate"]
    return term.but(names=tuple(n for n, _ in kept), args=tuple(a for _, a in kept))


def _formula(rates: set[float]) -> tuple[float, int] | None:
    """The highest rate and the number of steps that give all rates exactly."""
    if len(rates) < _LEAST:
        return None
    for highest in _RATES:
        for steps in range(2, _STEPS) if highest >= max(rates) else ():
            if all(_step(rate, highest, steps) is not None for rate in rates):
                return highest, steps
    return None


def _step(rate: float, highest: float, steps: int) -> int | None:
    """The step at which the rate is reached exactly, or None."""
    i = round(rate / highest * steps)
    return i if 0 < i <= steps and highest * i / steps == rate else None


def looped(term: Term) -> Term:
    """Write runs of a term's layers that differ in one number as a loop over that number."""
    if term.head not in ("compose_seq", "branch", "parallel"):
        return term
    pairs, i = [], 0
    while i < len(term.args):
        run, loop = _loop(term, i)
        pairs.append((term.names[i], term.args[i] if loop is None else loop))
        i += run
    return term.but(args=tuple(a for _, a in pairs), names=tuple(n for n, _ in pairs))


def _loop(term: Term, start: int) -> tuple[int, Term | None]:
    """The number of layers from `start` that form a loop, and the loop; 1 and None if there is none."""
    first = term.args[start]
    starred = first.kind == "row" and first.head == ("*", "")  # `*group(64)` is not allowed in a comprehension
    if starred or term.names[start] is not None or any(t.kind not in _PLAIN for t in first.walk()):
        return 1, None
    end, places = start + 1, None
    while end < len(term.args) and term.names[end] is None:
        differ = _difference(first, term.args[end])
        if not differ or (places or differ) != differ:
            break
        places, end = differ, end + 1
    if places is None or end - start < _LEAST:
        return 1, None
    rows = [[_part(arg, place) for place in places] for arg in term.args[start:end]]
    if any(len(set(row)) > 1 for row in rows):
        return 1, None
    values = [row[0].head for row in rows]
    consecutive = all(int(b) - int(a) == 1 for a, b in pairwise(values))
    name = "i" if consecutive else _name(first, places[0])
    over = f"range({f'{values[0]}, ' if int(values[0]) else ''}{int(values[-1]) + 1})"
    over = over if consecutive else f"({', '.join(values)})"
    taken = {str(t.head) for t in term.walk()}
    if name in taken:
        return 1, None
    body = first
    for place in places:
        body = _with(body, place, Term("local", name))
    return end - start, Term("loop", (name, over), (body,))


def _difference(a: Term, b: Term) -> list[tuple[int, ...]] | None:
    """The positions of numbers that differ between two terms; None if anything else differs."""
    if a == b:
        return []
    if a.kind == b.kind == "atom":
        return [()] if a.head.isdigit() and b.head.isdigit() else None
    if (a.kind, a.head, a.names, len(a.args)) != (b.kind, b.head, b.names, len(b.args)):
        return None
    places: list[tuple[int, ...]] = []
    for i, (x, y) in enumerate(zip(a.args, b.args)):
        inner = _difference(x, y)
        if inner is None:
            return None
        places += [(i, *place) for place in inner]
    return places


def _part(term: Term, place: tuple[int, ...]) -> Term:
    return _part(term.args[place[0]], place[1:]) if place else term


def _with(term: Term, place: tuple[int, ...], new: Term) -> Term:
    if not place:
        return new
    inner = _with(term.args[place[0]], place[1:], new)
    return term.but(args=tuple(inner if i == place[0] else arg for i, arg in enumerate(term.args)))


def _name(term: Term, place: tuple[int, ...]) -> str:
    """The argument name of the number at a position."""
    around = _part(term, place[:-1])
    return (around.names[place[-1]] if around.names else None) or "n"
