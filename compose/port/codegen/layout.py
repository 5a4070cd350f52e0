"""Format terms as text, with line breaks as code formatters set them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from compose.port.codegen.anti_unification import Arguments
from compose.port.codegen.graphs import statements
from compose.port.codegen.terms import Term, atom

WIDTH = 100

_POSITIONAL = {"activation", "rate", "shortcut", "size"}  # arguments passed by position although they have a default


class Layout:
    """Writes terms.

    Args:
        arguments: the arguments of a registered name or a helper.
        keeps: whether a term is certainly not an unnamed sequence, which `>>` would flatten.
    """

    def __init__(self, arguments: Arguments, keeps: Callable[[Term], bool]):
        self.arguments, self.keeps = arguments, keeps
        self._flat: dict[tuple[Term, bool], str] = {}
        self._broken: dict[tuple[Term, int, int], str] = {}

    def text(self, term: Term, indent: int, used: int = 0) -> str:
        """The text of a term at indentation `indent`; `used` characters of its line are taken."""
        flat = self.flat(term)
        if indent + used + len(flat) <= WIDTH or not term.args:
            return flat
        text = self._broken.get((term, indent, used))
        if text is None:
            text = self._broken[term, indent, used] = self._on_lines(term, flat, indent, used)
        return text

    def _on_lines(self, term: Term, flat: str, indent: int, used: int) -> str:
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
        """The term on one line; an operand is written without `>>`."""
        text = self._flat.get((term, operand))
        if text is None:
            text = self._flat[term, operand] = self._on_a_line(term, operand)
        return text

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
            if lines:  # it needs a function; this text is used only for its length
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
        """The text of a term that is called, or is an operand."""
        return self.flat(term, True)

    def _name(self, term: Term) -> str:
        return f", name={self.flat(term.args[-1])}" if term.names == ("name",) else ""

    def _labelled(self, term: Term) -> list[tuple[str, Term]]:
        """The arguments with labels `name=`, which are empty for arguments passed by position."""
        takes = self.arguments(term.head)
        free = list(takes) if None not in term.names else []
        labelled = []
        for name, arg in _runs(term):
            positional = name is None or (free[:1] == [name] and (takes[name] is None or name in _POSITIONAL))
            free = free[1:] if positional else []
            labelled.append(("" if positional else f"{name}=", arg))
        return labelled

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
    """`f + g` and `f * g` as calls of `branch`, if they do not fit on a line."""
    join = {"+": "add", "*": "multiply"}.get(term.head)
    return Term("call", "branch", (*term.args, atom(join)), (*[None] * len(term.args), "join")) if join else term


def _is_number(term: Term) -> bool:
    return isinstance(term.head, str) and term.head.lstrip("-").replace(".", "", 1).isdigit()


def _runs(term: Term) -> list[tuple[str | None, Term]]:
    """The arguments, with three or more equal consecutive layers as `*[f] * n`; numbers are not merged."""
    pairs = list(zip(term.names, term.args))
    if all(a != b for a, b in pairwise(pairs)):
        return pairs
    result: list[tuple[str | None, Term]] = []
    i = 0
    while i < len(pairs):
        name, part = pairs[i]
        n = 1 if name else next((j for j in range(i, len(pairs)) if pairs[j] != pairs[i]), len(pairs)) - i
        if n >= 3 and not _is_number(part):
            many = Term("row", ("*[", f"] * {n}"), (part,))
            result.append((None, part.but(head=("*", f" * {n}")) if part.kind == "row" else many))
        else:
            result += pairs[i : i + n]
        i += n
    return result
