"""Modules of a flat model, by its layers' names: `block_3_expand` and `block_3_project` are of one `block_3`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from compose.port.graph import Op

Scope = tuple[str, ...]

_NUMBERED = re.compile(r"([A-Za-z][A-Za-z_]*?_?\d+[a-z]?)_(?=.)")
_LEAST = 4  # operations of a module


def scoped(ops: list[Op]) -> list[Op]:
    """The operations with such modules in their paths, before their own names."""
    scopes = {op.output: _numbered(op.path[-1]) if op.path else () for op in ops}
    members: dict[tuple[Scope, Scope], list[Op]] = defaultdict(list)
    for op in ops:
        for i in range(len(scopes[op.output])):
            members[op.path[:-1], scopes[op.output][: i + 1]].append(op)
    large = {key for key, of in members.items() if len(of) >= _LEAST and sum(bool(op.weights) for op in of) > 1}
    kinds = Counter((around, scope[:-1], _words(scope[-1])) for around, scope in large)
    known = {(around, scope) for around, scope in large if kinds[around, scope[:-1], _words(scope[-1])] > 1}
    if not known:
        return ops
    for op in ops:
        scopes[op.output] = _known(op, scopes[op.output], known)
    _fill(ops, scopes)
    outer = {scope[:i] for scope in scopes.values() for i in range(1, len(scope))}
    return [_moved(op, scopes[op.output], outer) for op in ops]


def _numbered(name: str) -> Scope:
    """`conv2_block1_1_conv` is in `("conv2", "block1")`: words that end with a number, one after the other."""
    made, at = [], 0
    while found := _NUMBERED.match(name, at):
        made.append(found[1])
        at = found.end()
    return tuple(made)


def _words(part: str) -> str:
    return re.sub(r"_?\d+[a-z]?$", "", part)


def _known(op: Op, scope: Scope, known: set[tuple[Scope, Scope]]) -> Scope:
    """The known ones of an operation's modules; the first of its kind may have no number."""
    if op.path and not scope:
        first = {_words(s[0]) for around, s in known if around == op.path[:-1] and len(s) == 1}
        return next(((f"{words}_0",) for words in first if op.path[-1].startswith(f"{words}_")), ())
    return tuple(scope[i] for i in range(len(scope)) if (op.path[:-1], scope[: i + 1]) in known)


def _fill(ops: list[Op], scopes: dict[int, Scope]) -> None:
    """What has no number in its name is in the module that is before and after it."""
    before, after = dict(scopes), dict(scopes)
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in ops:
        before[op.output] = scopes[op.output] or _common(before.get(v, ()) for v in op.inputs)
        for v in op.inputs:
            readers[v].append(op)
    for op in reversed(ops):
        after[op.output] = scopes[op.output] or _common(after[r.output] for r in readers[op.output])
    for op in ops:
        if not scopes[op.output]:
            end = after[op.output]
            prepares = bool(end) and all(any(scopes[r.output] == end for r in readers[v]) for v in op.inputs)
            scopes[op.output] = end if prepares else _common((before[op.output], end))


def _common(scopes: Iterable[Scope]) -> Scope:
    made: list[str] = []
    for parts in zip(*scopes):
        if len(set(parts)) > 1:
            break
        made.append(parts[0])
    return tuple(made)


def _moved(op: Op, scope: Scope, outer: set[Scope]) -> Op:
    if not scope or not op.path:
        return op
    kinds = ("" if scope[: i + 1] in outer else _words(part) for i, part in enumerate(scope))
    classes = (*op.classes, *[""] * (len(op.path) - len(op.classes)))
    own = op.path[-1] if _NUMBERED.match(op.path[-1]) else f"{scope[-1]}_{op.path[-1]}"  # one of many, for its label
    return replace(op, path=(*op.path[:-1], *scope, own), classes=(*classes[:-1], *kinds, classes[-1]))
