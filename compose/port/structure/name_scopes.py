"""Modules of a flat model, by its layers' names: `block_3_expand` and `block_3_project` belong to one `block_3`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from compose.port.ir.graph import Op

Scope = tuple[str, ...]

_NUMBERED = re.compile(r"([A-Za-z][A-Za-z_]*?_?\d+[a-z]?)_(?=.)")
_LEAST = 4  # operations of a module


def scoped(ops: list[Op]) -> list[Op]:
    """The operations with such modules in their paths, if these have one input and one output."""
    numbered = {op.output: _numbered(op.path[-1]) if op.path else () for op in ops}
    members: dict[tuple[Scope, Scope], list[Op]] = defaultdict(list)
    for op in ops:
        for i in range(len(numbered[op.output])):
            members[op.path[:-1], numbered[op.output][: i + 1]].append(op)
    large = {key for key, of in members.items() if len(of) >= _LEAST and sum(bool(op.weights) for op in of) > 1}
    kinds = Counter((around, scope[:-1], _words(scope[-1])) for around, scope in large)
    known = {(around, scope) for around, scope in large if kinds[around, scope[:-1], _words(scope[-1])] > 1}
    scopes: dict[int, Scope] = {}
    torn: set[str] = set()
    while known:
        scopes = {op.output: _known(op, numbered[op.output], known, torn) for op in ops}
        _fill(ops, scopes)
        more = _torn(ops, scopes)
        if not more:
            break
        torn |= more
    outer = {scope[:i] for scope in scopes.values() for i in range(1, len(scope))}
    return [_moved(op, scopes.get(op.output, ()), outer) for op in ops]


def _numbered(name: str) -> Scope:
    """`conv2_block1_1_conv` is in `("conv2", "block1")`: successive words that end with a number."""
    scope, at = [], 0
    while found := _NUMBERED.match(name, at):
        scope.append(found[1])
        at = found.end()
    return tuple(scope)


def _words(part: str) -> str:
    return re.sub(r"_?\d+[a-z]?$", "", part)


def _known(op: Op, scope: Scope, known: set[tuple[Scope, Scope]], torn: set[str]) -> Scope:
    """The modules around an operation that are connected; the first of its kind may have no number."""
    around = op.path[:-1]
    if op.path and not scope:
        words = {_words(s[0]) for at, s in known if at == around and len(s) == 1 and s[0] not in torn}
        return next(((f"{w}_0",) for w in words if op.path[-1].startswith(f"{w}_") and f"{w}_0" not in torn), ())
    modules: list[str] = []
    start = 0
    for i in range(len(scope)):
        if (around, scope[: i + 1]) in known and "_".join(scope[: i + 1]) not in torn:
            modules.append("_".join(scope[start : i + 1]))
            start = i + 1
    return tuple(modules)


def _fill(ops: list[Op], scopes: dict[int, Scope]) -> None:
    """An operation without a number is in the module before and after it, or in the one whose input it prepares."""
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
    common: list[str] = []
    for parts in zip(*scopes):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return tuple(common)


def _torn(ops: list[Op], scopes: dict[int, Scope]) -> set[str]:
    """The modules with several inputs or outputs."""
    ends: dict[Scope, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for op in ops:
        for v in op.inputs:
            there, here = scopes.get(v, ()), scopes[op.output]
            for i in range(len(_common((there, here))), len(here)):
                ends[here[: i + 1]][0].add(v)
            for i in range(len(_common((there, here))), len(there)):
                ends[there[: i + 1]][1].add(v)
    return {"_".join(scope) for scope, (entries, exits) in ends.items() if len(entries) > 1 or len(exits) > 1}


def _moved(op: Op, scope: Scope, outer: set[Scope]) -> Op:
    if not scope or not op.path:
        return op
    own = op.path[-1] if _NUMBERED.match(op.path[-1]) else f"{scope[-1]}_{op.path[-1]}"  # one of many, for its label
    last = [_numbered(f"{part}_.")[-1] for part in scope]
    kinds = ("" if scope[: i + 1] in outer else _words(part) for i, part in enumerate(last))
    classes = (*op.classes, *[""] * (len(op.path) - len(op.classes)))
    return replace(op, path=(*op.path[:-1], *scope, own), classes=(*classes[:-1], *kinds, classes[-1]))
