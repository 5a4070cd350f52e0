"""Expressions as plain trees, to be compared, generalised and written."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from compose.combinators import graph, share
from compose.core.layer import Layer
from compose.core.printing import Operation, Writer
from compose.core.registry import known, word


@dataclass(frozen=True, eq=False)
class Term:
    """One node of an expression.

    Attributes:
        kind: "atom" for literal text; "call" for a call, with the arguments' `names` (None for positional ones); "op"
            for operands of the operator `head`; "row" for parts between the texts in `head`; "items" for several
            consecutive arguments; "graph" for the steps of a graph, with its wiring in `head`; "share" for the shared
            layer and the body, where it is called `head`; "loop" for a comprehension, with its variable and iterable
            in `head`; "param" for a parameter of the enclosing helper; "local" for the variable of a lambda or a loop.
        head: see `kind`.
        args: the parts.
    """

    kind: str
    head: Any
    args: tuple[Term, ...] = ()
    names: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.kind, self.head, self.args, self.names)))

    def __hash__(self) -> int:
        return self._hash  # pyright: ignore[reportAttributeAccessIssue]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Term) or self._hash != other._hash:  # pyright: ignore[reportAttributeAccessIssue]
            return False
        same = (self.kind, self.head, self.names, self.args) == (other.kind, other.head, other.names, other.args)
        if same:  # so that their parts are not compared again
            object.__setattr__(self, "args", other.args)
        return same

    def but(self, **changes: Any) -> Term:
        return dataclasses.replace(self, **changes)

    def map(self, change: Callable[[Term], Term]) -> Term:
        """The term with each part changed; itself if none is."""
        args = tuple(map(change, self.args))
        same = all(new is old for new, old in zip(args, self.args))
        return self if same else Term(self.kind, self.head, args, self.names)

    def rewritten(self, change: Callable[[Term], Term], known: dict[Term, Term]) -> Term:
        """The term with every part changed, then itself.

        Args:
            known: the results of `change` for terms before, to which those for this one are added.
        """
        if self not in known:
            known[self] = change(self.map(lambda arg: arg.rewritten(change, known)))
        return known[self]

    def walk(self) -> Iterator[Term]:
        waiting: list[Term] = [self]
        while waiting:
            term = waiting.pop()
            yield term
            waiting.extend(reversed(term.args))

    def get(self, name: str) -> Term | None:
        return dict(self.labelled()).get(name)

    def labelled(self) -> Iterator[tuple[str | None, Term]]:
        """The parts with the names that they are passed by; of a `graph` or `share` at most the last has one."""
        yield from zip((None,) * (len(self.args) - len(self.names)) + self.names, self.args)

    @functools.cached_property
    def size(self) -> int:
        """How many nodes the term has."""
        return 1 + sum(arg.size for arg in self.args)

    @functools.cached_property
    def free(self) -> frozenset[str]:
        """The variables of enclosing lambdas that occur in the term."""
        if self.kind == "local":
            return frozenset((self.head.split(".")[0],))
        inside = frozenset().union(*(arg.free for arg in self.args))
        if self.kind == "loop":
            return inside - {self.head[0]}
        return inside - {self.head} if self.kind == "share" else inside

    @functools.cached_property
    def has_params(self) -> bool:
        """Whether parameters of a helper occur in the term."""
        return self.kind == "param" or any(arg.has_params for arg in self.args)


def atom(text: str) -> Term:
    return Term("atom", text)


def read(value: Any) -> Term:
    """The expression of a layer as a term."""
    return _Reader().value(value)


class _Reader(Writer):
    """A `Writer` that produces terms instead of documents."""

    def value(self, v: Any) -> Any:
        if isinstance(v, graph):
            wiring = (v.inputs, tuple(step.args for step in v.steps), v.output)
            return _named(Term("graph", wiring, tuple(self.value(step.layer) for step in v.steps)), v)
        if isinstance(v, share):
            name = "e" if not self.names else f"e{len(self.names)}"
            inner = _Reader((*self.names, name))
            return _named(Term("share", name, (self.value(v.shared), inner.value(v.body))), v)
        term = _term(super().value(v))
        if getattr(v, "refers", False):
            local = Term("local", term.args[-1].head if v.name else term.head)
            return term.but(args=(*term.args[:-1], local)) if v.name else local
        return term

    def call(self, head: str, args: list) -> Any:
        pairs = [(a[0], a[1]) if isinstance(a, tuple) and len(a) == 2 else (None, a) for a in args]
        return Term("call", head, tuple(_term(a) for _, a in pairs), tuple(n for n, _ in pairs))

    def fields(self, layer: Layer, head: str | None = None) -> Any:
        args: list = []
        for f in signature_fields(type(layer)):
            value = getattr(layer, f.name)
            if f.name == layer.starred:
                args += [(None, self.value(v)) for v in value]
            elif value != default_value(f) or type(value) is not type(default_value(f)):
                args.append((f.name, self.value(value)))
        return self.call(head or layer.kind_of_class(), args)


def _named(term: Term, layer: Layer) -> Term:
    """Append the name of a `graph` or `share`, if any, as the term's last part."""
    return term if layer.name is None else term.but(args=(*term.args, read(layer.name)), names=("name",))


def _term(doc: Any) -> Term:
    if isinstance(doc, Term):
        return doc
    if isinstance(doc, str):
        return atom(doc)
    if isinstance(doc, tuple):
        texts, parts = [""], []
        for part in doc:
            if isinstance(part, str):
                texts[-1] += part
            else:
                parts.append(_term(part))
                texts.append("")
        return Term("row", tuple(texts), tuple(parts)) if parts else atom(texts[0])
    if isinstance(doc, Operation):
        return Term("op", doc.sign, tuple(map(_term, doc.operands)))
    texts = (doc.opening, *[", "] * (len(doc.args) - 1), doc.closing)  # a tuple
    return Term("row", texts, tuple(map(_term, doc.args))) if doc.args else atom("()")


def signature_fields(cls: type) -> list[dataclasses.Field]:
    """The fields of a layer in the order of its constructor's arguments."""
    return sorted(dataclasses.fields(cls), key=lambda f: f.kw_only is True)


def default_value(f: dataclasses.Field) -> Any:
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default


def arguments(head: str) -> dict[str, Term | None]:
    """The named arguments of a registered name, in order, with their defaults; None for required ones."""
    return _arguments(word(head)) if known(head) else {}


@functools.cache
def _arguments(value: Any) -> dict[str, Term | None]:
    if isinstance(value, type) and issubclass(value, Layer):
        named = [f for f in signature_fields(value) if f.name != value.starred]
        return {f.name: None if default_value(f) is dataclasses.MISSING else read(default_value(f)) for f in named}
    parameters = inspect.signature(getattr(value, "fn", value)).parameters
    options: dict[str, Term | None] = {n: read(p.default) for n, p in parameters.items() if p.default is not p.empty}
    return options | ({"name": atom("None")} if isinstance(value, Layer) else {})
