"""Terms as text, broken into lines as formatters break them."""

from __future__ import annotations

from collections.abc import Callable

from compose.port.codegen.anti_unification import Arguments
from compose.port.codegen.graphs import statements
from compose.port.codegen.terms import Term, atom

WIDTH = 100

_IN_PLACE = {"activation", "rate", "shortcut", "size"}  # arguments that need no name although they have a default


class Layout:
    """Writes terms.

    Args:
        arguments: what a word, or a helper, takes.
        keeps: whether a term surely is no unnamed sequence, which `>>` would take apart.
    """

    def __init__(self, arguments: Arguments, keeps: Callable[[Term], bool]):
        self.arguments, self.keeps = arguments, keeps
        self._flat: dict[tuple[Term, bool], str] = {}

    def text(self, term: Term, indent: int, used: int = 0) -> str:
        """The term from a column on; `used` more are taken before and after it."""
        flat = self.flat(term)
        if indent + used + len(flat) <= WIDTH or not term.args:
            return flat
        pad = " " * (indent + 4)
        if term.kind == "op":
            rows = [self._operand(arg, term.head) for arg in term.args]
            if used == 1 and max(map(len, rows)) + indent + 3 <= WIDTH and term.head in "+*":
                return f"\n{' ' * indent}{term.head} ".join(rows)
            term = _spelled(term)
        if term.kind == "call":
            rows = [
                pad + label + self.text(arg, indent + 4, len(label) + 1) + ",\n" for label, arg in self._labelled(term)
            ]
            return f"{term.head}(\n{''.join(rows)}{' ' * indent})"
        if term.kind == "items":
            return (
                f"(\n{''.join(pad + self.text(arg, indent + 4, 1) + ',' + chr(10) for arg in term.args)}{' ' * indent})"
            )
        if term.kind == "loop":
            name, over = term.head
            body = self.text(term.args[0], indent + 4, 0)
            return f"*[\n{pad}{body}\n{pad}for {name} in {over}\n{' ' * indent}]"
        if term.kind == "row" and term.head == ("*", ""):
            return "*" + self.text(term.args[0], indent, used + 1)
        if term.kind == "row" and term.head[0] == "(":
            rows = [pad + self.text(arg, indent + 4, 1) + ",\n" for arg in term.args]
            return f"{term.head[0]}\n{''.join(rows)}{' ' * indent}{term.head[-1].lstrip(',')}"
        return flat

    def flat(self, term: Term, operand: bool = False) -> str:
        """The term on one line; as an operand without `>>`."""
        known = self._flat.get((term, operand))
        if known is None:
            known = self._flat[term, operand] = self._on_a_line(term, operand)
        return known

    def _on_a_line(self, term: Term, operand: bool) -> str:
        if term.kind == "op":
            return f" {term.head} ".join(self._operand(arg, term.head) for arg in term.args)
        if term.kind == "items":
            return ", ".join(map(self.flat, term.args))
        if term.kind == "loop":
            return f"*[{self.flat(term.args[0])} for {term.head[0]} in {term.head[1]}]"
        if term.kind == "row":
            parts = [self.flat(arg) for arg in term.args]
            return term.head[0] + "".join(part + text for part, text in zip(parts, term.head[1:]))
        if term.kind == "graph":
            names, lines, result = statements(term, self.inner)
            if lines:  # only a function can say it; this text is for its length alone
                result = "; ".join(f"{n} = {t}" for n, t in lines) + result
            return f"graph(lambda {', '.join(names)}: {result}{self._name(term)})"
        if term.kind == "share":
            return f"share({self.flat(term.args[0])}, lambda {term.head}: {self.flat(term.args[1])}{self._name(term)})"
        if term.kind != "call":
            return str(term.head)
        if not operand and self._is_pair(term):
            return " >> ".join(map(self.flat, term.args))
        return f"{term.head}({', '.join(label + self.flat(arg) for label, arg in self._labelled(term))})"

    def inner(self, term: Term) -> str:
        """The term where it is called, or an operand."""
        return self.flat(term, True)

    def _name(self, term: Term) -> str:
        return f", name={self.flat(term.args[-1])}" if term.names == ("name",) else ""

    def _labelled(self, term: Term) -> list[tuple[str, Term]]:
        """The arguments with the names that they need: none while they stand in their places."""
        takes = self.arguments(term.head)
        free = list(takes) if None not in term.names else []
        made = []
        for name, arg in _runs(term):
            in_place = name is None or (free[:1] == [name] and (takes[name] is None or name in _IN_PLACE))
            free = free[1:] if in_place else []
            made.append(("" if in_place else f"{name}=", arg))
        return made

    def _is_pair(self, term: Term) -> bool:
        return (
            term.head == "compose_seq"
            and term.names == (None, None)
            and term.args[0].kind == "call"
            and all(arg.kind in ("call", "atom", "param") and self.keeps(arg) for arg in term.args)
        )

    def _operand(self, term: Term, sign: str) -> str:
        text = self.flat(term, True)
        bare = term.kind != "op" or (sign in "+-" and term.head not in "+-")
        return text if bare else f"({text})"


def _spelled(term: Term) -> Term:
    """`f + g` and `f * g` in words, where they do not fit on a line."""
    join = {"+": "add", "*": "multiply"}.get(term.head)
    return Term("call", "branch", (*term.args, atom(join)), (*[None] * len(term.args), "join")) if join else term


def _is_number(term: Term) -> bool:
    return isinstance(term.head, str) and term.head.lstrip("-").replace(".", "", 1).isdigit()


def _runs(term: Term) -> list[tuple[str | None, Term]]:
    """The arguments, three and more equal layers in a row as `*[f] * n`; numbers are written out."""
    made: list[tuple[str | None, Term]] = []
    pairs = list(zip(term.names, term.args))
    i = 0
    while i < len(pairs):
        n = next((j for j in range(i, len(pairs)) if pairs[j] != pairs[i]), len(pairs)) - i
        part = pairs[i][1]
        if n >= 3 and pairs[i][0] is None and not _is_number(part):
            many = Term("row", ("*[", f"] * {n}"), (part,))
            made.append((None, part.but(head=("*", f" * {n}")) if part.kind == "row" else many))
        else:
            made += pairs[i : i + n]
        i += n
    return made
