"""Runs of equal blocks become a `repeat`."""

from __future__ import annotations

from compose.combinators import branch, collect, compose_seq, graph, repeat
from compose.core.plan import Plan, uses_scope
from compose.port.structure.chains import repeat_chains
from compose.port.structure.piece import Piece, in_turn


def repeat_all(piece: Piece, planned: Plan) -> Piece:
    """The piece with every run of three or more equal blocks of one shape as a `repeat`."""
    plans = dict(planned.parts)
    kids = []
    for (key, _), kid in zip(piece.layer.children(), piece.kids):
        kids.append(repeat_all(kid, plans[key]) if key in plans else kid)
    if isinstance(piece.layer, graph):
        return repeat_chains(piece.around(tuple(kids)), plans)
    if isinstance(piece.layer, branch) and isinstance(kids[-1].layer, repeat):
        ways = Piece(branch(*(kid.layer for kid in kids[:-1])), (*kids[:-1], Piece(collect)))
        return _named_as(piece, in_turn(ways, kids[-1]))
    if not isinstance(piece.layer, compose_seq) or not kids:
        return piece.around(tuple(kids)) if kids else piece
    runs = _runs(kids, [plans[key] for key, _ in piece.layer.children()])
    if all(a is b for a, b in zip(runs, piece.kids)) and len(runs) == len(kids):
        return piece
    return _named_as(piece, in_turn(*runs))


def _named_as(before: Piece, after: Piece) -> Piece:
    return after.but(
        layer=after.layer.but(name=before.layer.name), label=before.label, title=before.title, whole=before.whole
    )


def _runs(kids: list[Piece], plans: list[Plan]) -> list[Piece]:
    runs: list[Piece] = []
    i = 0
    while i < len(kids):
        length, times = _longest(kids, plans, i)
        if times and not kids[i].holds and _covers(_longest(kids, plans, i + 1)) >= length * times:
            length, times = 1, 0  # the same run from the next on: `f, relu` rather than `relu, f`
        if times:
            blocks = tuple(in_turn(*kids[j : j + length]) for j in range(i, i + length * times, length))
            runs.append(Piece(repeat(times, blocks[0].layer), blocks))
        else:
            runs.append(kids[i])
        i += length * times or 1
    return runs


def _covers(run: tuple[int, int]) -> int:
    return run[0] * run[1]


def _longest(kids: list[Piece], plans: list[Plan], start: int) -> tuple[int, int]:
    """The longest run from `start`: the length of its block and the number of blocks (0 for none)."""
    best = (1, 0)
    for length in range(1, (len(kids) - start) // 3 + 1):
        block = [kid.layer for kid in kids[start : start + length]]
        if plans[start].x != plans[start + length - 1].out or any(map(uses_scope, block)):
            continue
        end = start + length
        while [kid.layer for kid in kids[end : end + length]] == block and _alike(plans, start, end, length):
            end += length
        times = (end - start) // length
        holds = any(kid.holds for kid in kids[start : start + length])
        if times >= 3 and holds and length * times > _covers(best):
            best = (length, times)
    return best


def _alike(plans: list[Plan], a: int, b: int, length: int) -> bool:
    return all(plans[a + i].x == plans[b + i].x for i in range(length))
