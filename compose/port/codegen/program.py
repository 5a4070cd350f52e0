"""A program: helpers, and the network written with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from compose.port.codegen import terms
from compose.port.codegen.layout import WIDTH, Layout
from compose.port.codegen.loops import looped
from compose.port.codegen.runs import flattened
from compose.port.codegen.statements import Statements
from compose.port.codegen.terms import Term

_IDENTIFIER = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True)
class Helper:
    """`def name(params): return body`, or `name = body`."""

    name: str
    body: Term
    params: tuple[str, ...] = ()
    defaults: dict[str, Term] = field(default_factory=dict)
    values: dict[str, tuple[Term, ...]] = field(default_factory=dict)
    from_source: bool = False  # whether the source model has a name for it
    is_function: bool = True


@dataclass
class Program:
    """Helpers, and the network in terms of them."""

    net: Term
    helpers: dict[str, Helper]
    words: dict[Term, str]  # the source's names for parts of the network

    def arguments(self, head: str) -> dict[str, Term | None]:
        if head in self.helpers:
            helper = self.helpers[head]
            return {p: helper.defaults.get(p) for p in helper.params}
        return terms.arguments(head)

    def keeps(self, term: Term) -> bool:
        """Whether the term is certainly not an unnamed sequence."""
        if term.kind not in ("param", "call", "atom"):
            return True
        head = str(term.head)
        if term.kind == "param":
            values = [v for h in self.helpers.values() for v in h.values.get(head, ())]
            return all(v.kind != "param" and self.keeps(v) for v in values)
        if head in self.helpers:
            return self.helpers[head].body.kind != "param" and self.keeps(self.helpers[head].body)
        return term.head != "compose_seq"

    @property
    def newest(self) -> Helper:
        return list(self.helpers.values())[-1]

    def bodies(self) -> Iterator[Term]:
        yield self.net
        for helper in self.helpers.values():
            yield helper.body

    def names_in_use(self) -> set[str]:
        """The registered names in use, and the names of the helpers."""
        bodies = [*self.bodies(), *(value for h in self.helpers.values() for value in h.defaults.values())]
        heads = {str(t.head) for body in bodies for t in body.walk() if t.kind in ("call", "atom")}
        return {word for head in heads if head[:1] not in "\"'" for word in _IDENTIFIER.findall(head)} | set(
            self.helpers
        )

    def rewrite(self, change: Callable[[Term], Term]) -> None:
        self.net = change(self.net)
        self.helpers = {n: replace(h, body=change(h.body)) for n, h in self.helpers.items()}
        self.words = {change(term): name for term, name in self.words.items()}


class Written:
    """Statements that were written, for programs that have most of them in common."""

    def __init__(self) -> None:
        self._flattened: dict[Term, Term] = {}
        self._looped: dict[Term, Term] = {}
        self._heads: dict[Term, list[Term]] = {}
        self._lines: dict[tuple, tuple[list[str], frozenset[str]]] = {}

    def lines(self, program: Program, write: Statements, start: str, body: Term, indent: int = 0) -> list[str]:
        """As `Statements.lines`, of the body with its loops; told apart also by what it reads of the program."""
        term = body.rewritten(flattened, self._flattened).rewritten(looped, self._looped)
        if term not in self._heads:
            self._heads[term] = list({(t.kind == "param", t.head): t for t in term.walk()}.values())
        key = (start, term, indent, frozenset(write.taken), tuple(_context(program, self._heads[term])))
        if key not in self._lines:
            self._lines[key] = write.lines(start, term, indent), frozenset(write.taken)
        lines, taken = self._lines[key]
        write.taken |= taken
        return lines


def _context(program: Program, inside: list[Term]) -> Iterator[tuple]:
    """What the layout of a term depends on besides the term: the signatures of helpers, and what may be a sequence.

    Args:
        inside: parts of the term, one for each head.
    """
    for inner in inside:
        helper = program.helpers.get(inner.head) if isinstance(inner.head, str) else None
        if helper is not None:
            yield helper.name, helper.params, tuple(helper.defaults.items()), program.keeps(inner)
        elif inner.kind == "param":
            yield inner.head, program.keeps(inner)


def blocks(program: Program, name: str, written: Written | None = None) -> Iterator[list[str]]:
    """The program's text: the lines of each helper, then those of `name = ...`.

    Args:
        written: the statements of programs like this one.
    """
    layout, written = Layout(program.arguments, program.keeps), written or Written()
    write = Statements(layout)
    for helper in _in_order(program):
        if not helper.is_function:
            yield from _assignment(written.lines(program, write, f"{helper.name} = ", helper.body))
        else:
            params = [f"{p}={layout.flat(helper.defaults[p])}" if p in helper.defaults else p for p in helper.params]
            head = f"def {helper.name}({', '.join(params)}):"
            if len(head) > WIDTH:
                head = f"def {helper.name}(\n    {', '.join(params)}\n):"
            yield [head, *written.lines(program, write, "return ", helper.body, 4)]
    yield from _assignment(written.lines(program, write, f"{name} = ", program.net))


def _assignment(lines: list[str]) -> Iterator[list[str]]:
    """The functions extracted from a statement, each as a separate block, then the statement."""
    starts = [i for i, line in enumerate(lines) if i and line[:1] not in ("", " ") and not lines[i - 1]]
    for a, b in zip([0, *starts], [*starts, len(lines)]):
        block = lines[a:b]
        while not block[-1]:
            block.pop()
        yield block


def _in_order(program: Program) -> list[Helper]:
    """The helpers, each after the ones that it uses."""
    done: dict[str, Helper] = {}

    def visit(helper: Helper) -> None:
        for term in (helper.body, *helper.defaults.values()):
            for inner in term.walk():
                used = program.helpers.get(inner.head) if isinstance(inner.head, str) else None
                if used is not None and used.name not in done and used is not helper:
                    visit(used)
        done.setdefault(helper.name, helper)

    for helper in program.helpers.values():
        visit(helper)
    return list(done.values())
