"""Anti-unification: the pattern common to two expressions (Plotkin, A Note on Inductive Generalization, 1970)."""

from __future__ import annotations

from collections.abc import Callable

from compose.port.codegen.terms import Term

Arguments = Callable[[str], dict[str, Term | None]]


class Unlike(Exception):
    """Raised for two expressions without a common pattern."""


class Generaliser:
    """Computes least general generalisations. `arguments(name)` gives a call's arguments and their defaults."""

    def __init__(self, arguments: Arguments):
        self.arguments = arguments
        self._in_order: dict[tuple, bool] = {}

    def common(self, a: Term, b: Term) -> Term:
        """The most specific pattern that both are instances of; its parameters are `p0`, `p1`, ... as they occur.

        Raises `Unlike` if there is none.
        """
        return self._common(a, b, {})

    def match(self, pattern: Term, term: Term) -> dict[str, Term] | None:
        """The values of the pattern's parameters for which it equals `term`, or None."""
        values: dict[str, Term] = {}
        return values if self._match(pattern, term, values) else None

    def _common(self, a: Term, b: Term, seen: dict) -> Term:
        if a == b and not a.has_params:
            return a
        pairs = self.aligned(a, b)
        if pairs is None:
            if a.free or b.free or _several(a) or _several(b):
                raise Unlike
            return seen.setdefault((a, b), Term("param", f"p{len(seen)}"))
        names, left, right = pairs
        return Term(a.kind, a.head, tuple(self._common(x, y, seen) for x, y in zip(left, right)), names)

    def _match(self, pattern: Term, term: Term, values: dict[str, Term]) -> bool:
        if pattern.kind == "param":
            if term.free or _several(term):
                return False
            return values.setdefault(pattern.head, term) == term
        if pattern.kind != term.kind or pattern.head != term.head:
            return False
        if pattern == term:
            return True
        pairs = self.aligned(pattern, term)
        return pairs is not None and all(self._match(p, t, values) for p, t in zip(*pairs[1:]))

    def aligned(self, a: Term, b: Term) -> tuple | None:
        """The aligned parts of two terms of the same form: names, parts of `a`, parts of `b`; None for other forms."""
        if (a.kind, a.head) != (b.kind, b.head) or (not a.args and not b.args):
            return None
        if a.kind != "call":
            return (a.names, a.args, b.args) if len(a.args) == len(b.args) and a.names == b.names else None
        if a.names == b.names and self._ordered(a.head, a.names):
            return a.names, a.args, b.args
        bare = [t.args[: t.names.count(None)] for t in (a, b)]
        if len(bare[0]) != len(bare[1]):
            return None
        takes = self.arguments(a.head)
        named = {n for t in (a, b) for n in t.names if n is not None}
        order = [n for n in takes if n in named]
        if len(order) != len(named):
            return (a.names, a.args, b.args) if a.names == b.names else None
        given = (takes | dict(t.labelled()) for t in (a, b))
        left, right = ([*start, *(values[n] for n in order)] for start, values in zip(bare, given))
        if None in left or None in right:
            return None
        return (*[None] * len(bare[0]), *order), left, right

    def _ordered(self, head: str, names: tuple[str | None, ...]) -> bool:
        """Whether arguments of these names are in the order of the signature."""
        if (head, names) not in self._in_order:
            named = [n for n in names if n is not None]
            self._in_order[head, names] = [n for n in self.arguments(head) if n in named] == named
        return self._in_order[head, names]


def substitute(term: Term, values: dict[str, Term]) -> Term:
    """Replace parameters of a term by values."""
    if term.kind == "param":
        return values.get(term.head, term)
    return term.map(lambda arg: substitute(arg, values)) if term.has_params else term


def params(term: Term) -> list[str]:
    """The parameters of a pattern, in order of first occurrence."""
    return list(dict.fromkeys(t.head for t in term.walk() if t.kind == "param")) if term.has_params else []


def _several(term: Term) -> bool:
    """Whether a term is a sequence of several values."""
    return term.kind == "items" or (term.kind == "row" and term.head == ("*", ""))
