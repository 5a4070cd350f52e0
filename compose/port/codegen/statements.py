"""Write a statement, preceded by functions and values that are too long to be written inside it."""

from __future__ import annotations

from compose.port.codegen.graphs import statements
from compose.port.codegen.layout import WIDTH, Layout
from compose.port.codegen.naming import numbered, part_name
from compose.port.codegen.terms import Term, atom

_LONGEST_INSIDE = 50  # characters of a layer, or of a lambda's result, that is written inline
_MOST_VALUES = 3


class Statements:
    """Writes statements; functions extracted from them get unique names."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.taken: set[str] = set()

    def lines(self, start: str, term: Term, indent: int = 0) -> list[str]:
        """The lines of `start` and the term, after the definitions that it needs."""
        before: list[str] = []
        term = self._without_lambdas(term, indent, before)
        lines = self._broken(start, term, indent)
        values: list[str] = []
        while indent and len(lines) > 1 and len(values) < _MOST_VALUES:
            shorter, value, rest = self._with_value(start, term, indent, {line.split()[0] for line in values})
            if len(shorter) + 1 >= len(lines):
                break
            values, lines, term = [*values, " " * indent + value], shorter, rest
        return [*before, *values, *lines]

    def _broken(self, start: str, term: Term, indent: int) -> list[str]:
        return (" " * indent + start + self.layout.text(term, indent, len(start))).split("\n")

    def _with_value(self, start: str, term: Term, indent: int, taken: set[str]) -> tuple[list[str], str, Term]:
        """Assign the part of a statement before it that shortens it most: its lines, the assignment, the rest."""
        taken = taken | {str(t.head) for t in term.walk()}
        candidates = []
        for name, part in dict.fromkeys(_named_parts(term, taken)):
            value = f"{name} = {self.layout.flat(part)}"
            if len(value) - len(name) >= 20 and len(value) + indent <= WIDTH and not part.free:
                rest = _replaced(term, part, Term("atom" if self.layout.keeps(part) else "param", name))
                candidates.append((self._broken(start, rest, indent), value, rest))
        weight = lambda t: (len(t[0]), max(len(t[1]), *map(len, t[0])))  # few lines, of similar length
        return min(candidates, key=weight, default=(["", *[""] * 999], "", term))

    def _without_lambdas(self, term: Term, indent: int, before: list[str]) -> Term:
        """Replace every long lambda in the term by a function, whose lines are added to `before`."""
        if term.kind == "share":
            return self._share(term, indent, before)
        args = tuple(self._without_lambdas(arg, indent, before) for arg in term.args)
        term = term.but(args=args) if args != term.args else term
        if term.kind != "graph":
            return term
        term, body = self._long_layers(term, indent + 4)
        names, lines, result = statements(term, self.layout.inner)
        if not body and not lines and len(result) <= _LONGEST_INSIDE + 10:
            return term
        body += [f"{name} = {text}" for name, text in lines]
        return self._function(term, "wiring", names, [*body, f"return {result}"], indent, before)

    def _share(self, term: Term, indent: int, before: list[str]) -> Term:
        inside: list[str] = []
        shared = self._without_lambdas(term.args[0], indent, before)
        body = self._without_lambdas(term.args[1], indent + 4, inside)
        term = term.but(args=(shared, body, *term.args[2:]))
        if not inside and len(self.layout.flat(term)) <= WIDTH - indent - 12:
            return term
        lines = [line[indent + 4 :] for line in [*inside, *self._broken("return ", body, indent + 4)]]
        call = self._function(term, "body", [term.head], lines, indent, before)
        return call.but(args=(shared, *call.args), names=(None, *call.names))

    def _long_layers(self, term: Term, indent: int) -> tuple[Term, list[str]]:
        """A graph with its long layers replaced by names, and the lines that assign these."""
        lines: list[str] = []
        args = list(term.args)
        for i, arg in enumerate(args):
            if len(self.layout.flat(arg, True)) > _LONGEST_INSIDE and arg.kind in ("call", "op", "share"):
                name = f"f{sum(line[0] not in ' )' for line in lines)}"
                lines += [line[indent:] for line in self._broken(f"{name} = ", arg, indent)]
                args[i] = atom(name)
        return term.but(args=tuple(args)), lines

    def _function(
        self, term: Term, name: str, names: list[str], lines: list[str], indent: int, before: list[str]
    ) -> Term:
        name = numbered(name, self.taken)
        self.taken.add(name)
        function = [f"def {name}({', '.join(names)}):", *("    " + line if line else "" for line in lines)]
        before += [*(" " * indent + line if line else "" for line in function), *[""] * (1 if indent else 2)]
        named = [(n, arg) for n, arg in zip(term.names, term.args[-1:]) if n == "name"]
        return Term("call", term.kind, (atom(name), *(arg for _, arg in named)), (None, *(n for n, _ in named)))


def _named_parts(term: Term, taken: set[str]) -> list[tuple[str, Term]]:
    """The calls inside a term, each with a name for its role in the enclosing call."""
    parts = []
    for outer in term.walk():
        for i, (label, part) in enumerate(zip(outer.names or (None,) * len(outer.args), outer.args)):
            if part.kind == "call":
                parts.append((numbered(part_name(part, outer, label, i), taken), part))
    return parts


def _replaced(term: Term, part: Term, new: Term) -> Term:
    if term.size <= part.size:  # it is the part, or has it not inside
        return new if term == part else term
    return term.map(lambda arg: _replaced(arg, part, new))
