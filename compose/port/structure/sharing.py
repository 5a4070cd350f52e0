"""Weights that several operations use become a `share(...)` around the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from compose.combinators import share
from compose.combinators.share import Shared
from compose.core.errors import PortError
from compose.layers.dense import fc
from compose.port.ir.weights import Constant, View
from compose.port.lowering.unsupported import NoValue
from compose.port.structure.piece import Piece

T = TypeVar("T")


class Unshared(PortError):
    """Arrays go to layers that differ.

    Attributes:
        sources: their names.
    """

    def __init__(self, layers: dict[str, str]):
        (first, used), *_ = layers.items()
        super().__init__(f"the weight {first!r} is used by layers that differ, and cannot be shared: {used}")
        self.sources = frozenset(layers)


def with_values(port: Callable[[frozenset[str]], T]) -> T:
    """What `port` makes, given the names of the weights that are values from the start, since layers which differ read
    them. They are found one after the other, by its errors.

    Raises the first `PortError` that led to a value if the last attempt fails, too.
    """
    apart: frozenset[str] = frozenset()
    refusal: PortError | None = None
    while True:
        try:
            return port(apart)
        except (NoValue, Unshared) as e:
            if e.sources <= apart:
                raise
            refusal, apart = refusal or e, apart | e.sources
        except PortError as e:
            if refusal is None:
                raise
            raise refusal from e


def share_all(piece: Piece) -> Piece:
    """The piece within a `share` for every part that runs more than once on the same weights.

    Raises `Unshared` where one array goes to layers that differ, which no expression can state.
    """
    for uses in _repeated(piece):
        rest = _still_there(piece, uses)
        if len(rest) > 1:
            piece = _shared(piece, rest[0], {id(use): None for use in rest})
    differ: dict[str, str] = {}
    for source, leaves in _by_source(piece).items():
        first = next((p for p, view in leaves if _is_embedding(p, view)), None)
        others = [p for p, view in leaves if p is not first]
        if first is None or not all(_is_projection(p, source) for p in others):
            differ[source] = ", ".join(f"{p.layer} at {'/'.join(p.op.path)}" for p, _ in leaves if p.op)
            continue
        piece = _shared(piece, first, {id(first): None} | {id(p): "attend" for p in others})
    if differ:
        raise Unshared(differ)
    return piece


def _shared(piece: Piece, first: Piece, uses: dict[int, str | None]) -> Piece:
    """`share(first, lambda e: piece)`, with `e`, or one of its methods for each of `uses`."""
    body = _substituted(piece, uses, 0)
    return Piece(share(first.layer, body.layer), (first, body))


def _substituted(piece: Piece, uses: dict[int, str | None], depth: int) -> Piece:
    if id(piece) in uses:
        return Piece(Shared(depth, uses[id(piece)]))
    deeper = [depth + (isinstance(piece.layer, share) and i == 1) for i in range(len(piece.kids))]
    return piece.around(tuple(_substituted(kid, uses, d) for kid, d in zip(piece.kids, deeper)))


def _repeated(piece: Piece) -> list[list[Piece]]:
    """The largest pieces that occur more than once: equal layers on equal weights."""
    found: dict = defaultdict(list)
    for inner in piece.walk():
        views = tuple(record.view for record in inner.records())
        if views:
            found[inner.layer, views].append(inner)
    return [uses for uses in found.values() if len(uses) > 1]


def _still_there(piece: Piece, uses: list[Piece]) -> list[Piece]:
    """The uses that did not go with a larger piece that is shared already, which keeps one of them."""
    inside = {id(inner) for inner in piece.walk()}
    return [use for use in uses if id(use) in inside]


def _by_source(piece: Piece) -> dict[str, list[tuple[Piece, View]]]:
    """The leaves that take overlapping parts of one array, by the array."""
    taken: dict[str, list[tuple[Piece, View]]] = defaultdict(list)
    for leaf in piece.walk():
        for view in (t for t in (leaf.op.views() if leaf.op else ()) if not isinstance(t, Constant)):
            taken[view.source].append((leaf, view))
    return {name: uses for name, uses in taken.items() if any(_overlap(a, b) for _, a, _, b in _pairs(uses))}


def _pairs(uses: list) -> list:
    return [(*a, *b) for i, a in enumerate(uses) for b in uses[:i]]


def _overlap(a: View, b: View) -> bool:
    apart = lambda x, y: x is not None and y is not None and (x[1] <= y[0] or y[1] <= x[0])
    return not apart(a.rows, b.rows) and not apart(a.columns, b.columns)


def _is_embedding(piece: Piece, view: View) -> bool:
    return piece.layer.kind == "embedding" and view.axes is None


def _is_projection(piece: Piece, source: str) -> bool:
    """Whether a layer is just `x @ embedding.T`."""
    plain = isinstance(piece.layer, fc) and piece.layer == fc(piece.layer.size, bias=False, name=piece.layer.name)
    return plain and piece.op is not None and next(piece.op.views()).axes == (1, 0)
