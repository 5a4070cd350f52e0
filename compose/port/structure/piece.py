"""A part of the expression under construction, with the source's operations that are in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compose.combinators import add, branch, compose_seq, graph, identity, multiply, parallel, repeat, residual
from compose.core.layer import Layer
from compose.port.ir.graph import Op
from compose.port.ir.weights import Record


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer, and for each of its children the piece that this child came from.

    Attributes:
        layer: the expression of this part.
        kids: the pieces of `layer.children()`, in their order; a `repeat`'s are its blocks.
        op: for a leaf the operation whose weights it takes, or None.
        label: the source's name of it, "" where it tells nothing.
        title: the source's class of it, "" where it has none.
        whole: it stays one part; other sequences are spliced into the sequence around them.
    """

    layer: Layer
    kids: tuple[Piece, ...] = ()
    op: Op | None = None
    label: str = ""
    title: str = ""
    whole: bool = False

    def but(self, **changes: Any) -> Piece:
        return dataclasses.replace(self, **changes)

    def around(self, kids: tuple[Piece, ...]) -> Piece:
        """The same piece with other pieces inside."""
        if all(a is b for a, b in zip(self.kids, kids, strict=True)):
            return self
        inner = (kids[0],) if isinstance(self.layer, repeat) else kids
        return self.but(kids=kids, layer=self.layer.with_children(tuple(kid.layer for kid in inner)))

    @property
    def size(self) -> int:
        """The number of operations inside."""
        return sum(kid.size for kid in self.kids) if self.kids else int(self.op is not None)

    @property
    def holds(self) -> bool:
        """Whether it has weights inside."""
        return bool(self.op and (self.op.weights or self.op.state)) or any(kid.holds for kid in self.kids)

    def walk(self) -> Iterator[Piece]:
        """This piece and all pieces inside, outermost first."""
        yield self
        for kid in self.kids:
            yield from kid.walk()

    def records(self, path: tuple[str, ...] = (), at: tuple[int, ...] = ()) -> Iterator[Record]:
        """The record of every weight inside: its source and its target."""
        if self.op is not None:
            for tree, views in (("params", self.op.weights), ("state", self.op.state)):
                for name, view in views.items():
                    parts = view if isinstance(view, tuple) else (view,)
                    for i, part in enumerate(parts):
                        yield Record(part, tree, "/".join((*path, name)), at, (i, len(parts)))
        if isinstance(self.layer, repeat):
            for i, kid in enumerate(self.kids):
                yield from kid.records(path, (*at, i))
        else:
            for (key, _), kid in zip(self.layer.children(), self.kids):
                yield from kid.records((*path, key), at)


NOTHING = Piece(identity)


def leaf(op: Op, label: str = "") -> Piece:
    return Piece(op.layer, op=op, label=label)


def in_turn(*pieces: Piece) -> Piece:
    """Pieces in sequence; sequences that are not `whole` are spliced in."""
    parts: list[Piece] = []
    for piece in pieces:
        loose = isinstance(piece.layer, compose_seq) and not piece.whole
        parts += piece.kids if loose else [piece] if piece.layer != identity else []
    if not parts:
        return NOTHING
    return parts[0] if len(parts) == 1 else Piece(compose_seq(*(p.layer for p in parts)), tuple(parts))


def side_by_side(parts: tuple[Piece, ...], join: Piece) -> Piece:
    """One input to several pieces, joined: a `residual` where one is a shortcut of the other."""
    ways, *rest = join.kids if isinstance(join.layer, compose_seq) else (join,)
    if rest and isinstance(ways.layer, parallel) and len(ways.kids) == len(parts):
        parts = tuple(in_turn(part, way) for part, way in zip(parts, ways.kids))
        return in_turn(side_by_side(parts, rest[0]), *rest[1:])
    if join.layer == add:
        first = parts[0]
        if isinstance(first.layer, branch) and first.layer.join == add and not first.whole:
            parts = (*first.kids[:-1], *parts[1:])  # a sum of a sum, in the same order
        if len(parts) == 2 and not (join.op and join.op.spreads):
            with_shortcut = _residual(*parts)
            if with_shortcut is not None:
                return with_shortcut
    if join.layer == multiply and len(parts) == 2 and parts[1] is NOTHING:
        parts = (NOTHING, parts[0])  # a gate, as people write it
    return Piece(branch(*(p.layer for p in parts), join=join.layer), (*parts, join))


def _residual(a: Piece, b: Piece) -> Piece | None:
    if a.size < b.size:
        a, b = b, a
    is_shortcut = b is NOTHING or (b.size <= 3 and b.size < a.size)
    return Piece(residual(a.layer, b.layer), (a, b)) if is_shortcut and a is not NOTHING else None


def each_its_own(parts: tuple[Piece, ...]) -> Piece:
    """A tuple of inputs, one to each piece."""
    if all(p is NOTHING for p in parts):
        return NOTHING
    return Piece(parallel(*(p.layer for p in parts)), parts)


def any_graph(inputs: int, steps: list[tuple[Piece, tuple[int, ...]]], output: Any) -> Piece:
    """Pieces and which values they read, as the steps of a `graph`."""
    from compose.combinators.graph import Step

    table = tuple(Step(piece.layer, args) for piece, args in steps)
    definition: Any = (inputs, table, output)
    return Piece(graph(definition), tuple(piece for piece, _ in steps))
