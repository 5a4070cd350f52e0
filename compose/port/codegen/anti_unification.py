"""What two expressions have in common (Plotkin, A Note on Inductive Generalization, 1970)."""

from __future__ import annotations

from collections.abc import Callable

from compose.port.codegen.terms import Term

Arguments = Callable[[str], dict[str, Term | None]]


class Unlike(Exception):
    """Two expressions that no pattern of this language covers."""


class Generaliser:
    """Least general generalisation; missing arguments are their defaults. `arguments` is what a word takes."""

    def __init__(self, arguments: Arguments):
        self.arguments = arguments

    def common(self, a: Term, b: Term) -> Term:
        """The most special pattern that both are instances of. Raises `Unlike`."""
        return self._common(a, b, {})

    def match(self, pattern: Term, term: Term) -> dict[str, Term] | None:
        """The values of the pattern's parameters that make it `term`, or None."""
        found: dict[str, Term] = {}
        return found if self._match(pattern, term, found) else None

    def _common(self, a: Term, b: Term, seen: dict) -> Term:
        if a == b and not _has_params(a):
            return a
        pairs = self.aligned(a, b)
        if pairs is None:
            if a.free() or b.free() or _several(a) or _several(b):
                raise Unlike
            return seen.setdefault((a, b), Term("param", f"p{len(seen)}"))
        names, left, right = pairs
        return Term(a.kind, a.head, tuple(self._common(x, y, seen) for x, y in zip(left, right)), names)

    def _match(self, pattern: Term, term: Term, found: dict[str, Term]) -> bool:
        if pattern.kind == "param":
            if term.free() or _several(term):
                return False
            return found.setdefault(pattern.head, term) == term
        if pattern == term:
            return True
        pairs = self.aligned(pattern, term)
        return pairs is not None and all(self._match(p, t, found) for p, t in zip(*pairs[1:]))

    def aligned(self, a: Term, b: Term) -> tuple | None:
        """The parts of two terms of one form, side by side: names, parts of `a`, parts of `b`."""
        if (a.kind, a.head) != (b.kind, b.head) or (not a.args and not b.args):
            return None
        if a.kind != "call":
            return (a.names, a.args, b.args) if len(a.args) == len(b.args) and a.names == b.names else None
        bare = [t.args[: t.names.count(None)] for t in (a, b)]
        if len(bare[0]) != len(bare[1]):
            return None
        takes = self.arguments(a.head)
        named = {n for t in (a, b) for n in t.names if n is not None}
        order = [n for n in takes if n in named]
        if len(order) != len(named):
            return (a.names, a.args, b.args) if a.names == b.names else None
        left, right = ([*t.args[: len(bare[0])], *(t.get(n) or takes[n] for n in order)] for t in (a, b))
        if None in left or None in right:
            return None
        return (*[None] * len(bare[0]), *order), left, right


def substitute(term: Term, values: dict[str, Term]) -> Term:
    """The term with parameters replaced."""
    if term.kind == "param":
        return values.get(term.head, term)
    return term.but(args=tuple(substitute(arg, values) for arg in term.args)) if term.args else term


def params(term: Term) -> list[str]:
    """The parameters of a pattern, in the order in which they are read."""
    return list(dict.fromkeys(t.head for t in term.walk() if t.kind == "param"))


def _several(term: Term) -> bool:
    """Whether a term is no single value, but several in a row."""
    return term.kind == "items" or (term.kind == "row" and term.head == ("*", ""))


def _has_params(term: Term) -> bool:
    return any(t.kind == "param" for t in term.walk())
