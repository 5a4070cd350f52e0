"""Group recurring layers in long sequences, such as `(conv, norm, relu)` in a VGG: `*group(64), *group(128)`."""

from __future__ import annotations

from collections import Counter

from compose.port.codegen.terms import Term

Group = tuple[str, ...]

_LONG = 9  # the minimum number of layers of a sequence to search for groups
_LONGEST_GROUP = 8
_OFTEN = 3  # the minimum number of occurrences of a group


def grouped(term: Term, everywhere: Group = ()) -> Term:
    """Replace recurring groups in long sequences of a term by terms of kind "items".

    The group `everywhere`, given by the names of its layers, is replaced in short sequences too.
    """
    args = tuple(grouped(arg, everywhere) for arg in term.args)
    n = term.names.count(None)
    if term.head == "compose_seq" and (n >= _LONG or everywhere):
        layers = _split(list(args[:n]), everywhere) if everywhere else _grouped(list(args[:n]))
        names = (*[None] * len(layers), *term.names[n:])
        return term.but(args=(*layers, *args[n:]), names=names)
    return term.but(args=args) if args != term.args else term


def flattened(term: Term) -> Term:
    """Undo `grouped` for a term's groups that did not become helpers."""
    if term.kind != "call" or not any(map(_is_group, term.args)):
        return term
    pairs = []
    for name, arg in zip(term.names, term.args):
        pairs += [(None, inner) for inner in arg.args[0].args] if _is_group(arg) else [(name, arg)]
    return term.but(names=tuple(n for n, _ in pairs), args=tuple(a for _, a in pairs))


def _is_group(term: Term) -> bool:
    return term.kind == "row" and term.head == ("*", "") and term.args[0].kind == "items"


def _grouped(layers: list[Term]) -> list[Term]:
    heads = [str(layer.head) for layer in layers]
    best, most = (), 0
    for n in range(2, _LONGEST_GROUP + 1):
        for group, _ in Counter(tuple(heads[i : i + n]) for i in range(len(heads) - n + 1)).items():
            times = len(_occurrences(heads, group))
            if times >= _OFTEN and len(set(group)) > 1 and (n - 1) * (times - 1) > most:
                best, most = group, (n - 1) * (times - 1)
    if not best:
        return layers
    return _split(layers, best)


def _split(layers: list[Term], group: Group) -> list[Term]:
    """Replace every occurrence of a group by one term, and search long sequences in between for other groups."""
    result: list[Term] = []
    last = 0
    for i in [*_occurrences([str(layer.head) for layer in layers], group), None]:
        rest = layers[last:i]
        result += _grouped(rest) if len(rest) >= _LONG else rest
        if i is not None:
            result.append(Term("row", ("*", ""), (Term("items", "", tuple(layers[i : i + len(group)])),)))
            last = i + len(group)
    return result


def common_group(net: Term) -> Group:
    """The most frequent group of three layers in the network's sequences, or ()."""
    rows = [[str(a.head) for n, a in zip(t.names, t.args) if n is None] for t in net.walk() if t.head == "compose_seq"]
    counts = Counter(tuple(row[i : i + 3]) for row in rows for i in range(len(row) - 2))
    several = {group for group in counts if sum(len(_occurrences(row, group)) > 1 for row in rows) >= _OFTEN}
    return max((g for g in several if len(set(g)) == 3), key=lambda g: counts[g], default=())


def _occurrences(heads: list[str], group: tuple[str, ...]) -> list[int]:
    """The positions of a group, without overlaps."""
    positions, i = [], 0
    while i <= len(heads) - len(group):
        if tuple(heads[i : i + len(group)]) == group:
            positions.append(i)
            i += len(group)
        else:
            i += 1
    return positions
