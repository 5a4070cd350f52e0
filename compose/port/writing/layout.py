"""Terms as text, broken into lines as formatters break them."""

from __future__ import annotations

from collections.abc import Callable

from compose.port.writing.generalise import Arguments
from compose.port.writing.naming import part_name
from compose.port.writing.terms import Term, atom
from compose.port.writing.wiring import statements

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

    def statement(self, start: str, term: Term, indent: int = 0) -> list[str]:
        """`start` and the term, after the functions and the values that would be too long to stand inside."""
        before: list[str] = []
        term = self._hoisted(term, indent, before)
        pad = " " * indent
        lines = self._lines(start, term, indent)
        named: list[str] = []
        while indent and len(lines) > 1 and len(named) < 3:
            shorter, value, rest = self._with_value(start, term, indent, {line.split()[0] for line in named})
            if len(shorter) + 1 >= len(lines):
                break
            named, lines, term = [*named, pad + value], shorter, rest
        return [*before, *named, *lines]

    def _lines(self, start: str, term: Term, indent: int) -> list[str]:
        return (" " * indent + start + self.text(term, indent, len(start))).split("\n")

    def _with_value(self, start: str, term: Term, indent: int, taken: set[str]) -> tuple[list[str], str, Term]:
        """The statement with that part named before it which makes it shortest: its lines, the value, the rest."""
        taken = taken | {str(t.head) for t in term.walk()}
        tried = []
        for name, part in _named_parts(term, taken):
            value = f"{name} = {self.flat(part)}"
            if len(value) - len(name) >= 20 and len(value) + indent <= WIDTH and not part.free():
                rest = _replaced(term, part, Term("atom" if self.keeps(part) else "param", name))
                tried.append((self._lines(start, rest, indent), value, rest))
        return min(tried, key=lambda t: (len(t[0]), -len(t[1])), default=(["", *[""] * 999], "", term))

    def text(self, term: Term, indent: int, used: int = 0) -> str:
        """The term from a column on; `used` more are taken before and after it."""
        flat = self.flat(term)
        if indent + used + len(flat) <= WIDTH or not term.args:
            return flat
        pad = " " * (indent + 4)
        if term.kind == "op":
            term = _spelled(term)
        if term.kind == "call":
            rows = [
                pad + label + self.text(arg, indent + 4, len(label) + 1) + ",\n" for label, arg in self._labelled(term)
            ]
            return f"{term.head}(\n{''.join(rows)}{' ' * indent})"
        if term.kind == "row" and term.head[0] in ("(", "{"):
            rows = [pad + self.text(arg, indent + 4, 1) + ",\n" for arg in term.args]
            return f"{term.head[0]}\n{''.join(rows)}{' ' * indent}{term.head[-1].lstrip(',')}"
        return flat

    def flat(self, term: Term, operand: bool = False) -> str:
        if term.kind == "op":
            return f" {term.head} ".join(self._operand(arg, term.head) for arg in term.args)
        if term.kind == "row":
            parts = [self.flat(arg) for arg in term.args]
            return term.head[0] + "".join(part + text for part, text in zip(parts, term.head[1:]))
        if term.kind == "graph":
            names, lines, result = statements(term, self._inner)
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

    def _inner(self, term: Term) -> str:
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

    def _hoisted(self, term: Term, indent: int, before: list[str]) -> Term:
        """The term with every long lambda as a function of its own, written to `before`."""
        args = tuple(self._hoisted(arg, indent, before) for arg in term.args)
        term = term.but(args=args) if args != term.args else term
        if term.kind == "graph":
            term, made = self._parts_before(term, indent + 4)
            names, lines, result = statements(term, self._inner)
            if not made and not lines and len(result) <= 60:
                return term
            made += [f"{n} = {t}" for n, t in lines]
            return self._function(term, "wiring", names, made, result, indent, before)
        if term.kind == "share" and len(self.flat(term)) > WIDTH - indent - 12 and not term.free():
            body = self.text(term.args[1], indent + 4, 7)
            made = self._function(term, "body", [term.head], [], body, indent, before)
            return made.but(args=(term.args[0], *made.args), names=(None, *made.names))
        return term

    def _parts_before(self, term: Term, indent: int) -> tuple[Term, list[str]]:
        """A graph whose long layers have names, and the lines that give them."""
        lines: list[str] = []
        args = list(term.args)
        for i, arg in enumerate(args):
            if len(self.flat(arg, True)) > 50 and arg.kind in ("call", "op", "share"):
                name = f"f{sum(not line.startswith((' ', ')')) for line in lines)}"
                text = f"{name} = {self.text(arg, indent, len(name) + 3)}".replace("\n" + " " * indent, "\n")
                lines += text.split("\n")
                args[i] = Term("atom", name)
        return term.but(args=tuple(args)), lines

    def _function(
        self, term: Term, name: str, names: list[str], lines: list[str], result: str, indent: int, before: list[str]
    ) -> Term:
        taken = {line.split("(")[0].split()[1] for line in before if line.lstrip().startswith("def ")}
        name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 99))) if n not in taken)
        pad = " " * indent
        made = [f"def {name}({', '.join(names)}):", *(f"    {line}" for line in lines), f"    return {result}"]
        gap = [""] * (2 if not indent else 1)
        before += [*(pad + line for line in made), *gap]
        named = (("name", term.args[-1]),) if term.names == ("name",) else ()
        args = (Term("atom", name), *(arg for _, arg in named))
        return Term("call", term.kind, args, (None, *(n for n, _ in named)))


def _named_parts(term: Term, taken: set[str]) -> list[tuple[str, Term]]:
    """The calls inside, each with a name that says what it is to the call around it."""
    made = []
    for outer in term.walk():
        for i, (label, part) in enumerate(zip(outer.names or (None,) * len(outer.args), outer.args)):
            if part.kind == "call":
                word = part_name(part, outer, label, i)
                made.append((next(n for n in (word, *(f"{word}_{i}" for i in range(2, 99))) if n not in taken), part))
    return made


def _replaced(term: Term, part: Term, new: Term) -> Term:
    if term == part:
        return new
    return term.but(args=tuple(_replaced(arg, part, new) for arg in term.args)) if term.args else term


def _spelled(term: Term) -> Term:
    """`f + g` and `f * g` in words, where they do not fit on a line."""
    join = {"+": "add", "*": "multiply"}.get(term.head)
    return Term("call", "branch", (*term.args, atom(join)), (*[None] * len(term.args), "join")) if join else term


def _runs(term: Term) -> list[tuple[str | None, Term]]:
    """The arguments, three and more equal ones in a row as `*[f] * n`."""
    made: list[tuple[str | None, Term]] = []
    pairs = list(zip(term.names, term.args))
    i = 0
    while i < len(pairs):
        n = next((j for j in range(i, len(pairs)) if pairs[j] != pairs[i]), len(pairs)) - i
        if n >= 3 and pairs[i][0] is None:
            made.append((None, Term("row", ("*[", f"] * {n}"), (pairs[i][1],))))
        else:
            made += pairs[i : i + n]
        i += n
    return made
