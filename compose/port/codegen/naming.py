"""Names for helpers and their parameters if the source model has none."""

from __future__ import annotations

import keyword
from collections import Counter
from itertools import chain, count

from compose.core.registry import known, word
from compose.port.codegen.anti_unification import params
from compose.port.codegen.terms import Term

_SIZES = {"filters", "size"}
_INNER = ["hidden", "width"]  # names for the first of two sizes
RESERVED = {"add", "branch", "compose_seq", "graph", "multiply", "net", "ops", "share"}  # names that a layout may need
_SHORT = {
    "batch_norm": "norm",
    "layer_norm": "norm",
    "group_norm": "norm",
    "compose_seq": "seq",
    "global_avg_pool": "pool",
}


def helper_name(pattern: Term, hint: str, taken: set[str], helpers: dict[str, Term]) -> str:
    """The source's name for a pattern, or a name made of the layers inside; different from those in `taken`.

    Args:
        hint: the source's name, or "".
        helpers: the bodies of the existing helpers.
    """
    calls_helper = pattern.head in helpers  # then that helper already has the source's name
    name = hint if hint and not calls_helper else _described(pattern, set(helpers))
    taken = taken | RESERVED
    if keyword.iskeyword(name) or (not hint and name in taken):
        name = f"{name}_layer" if len(pattern.args) < 2 else f"{name}_block"
    if name in helpers and pattern.head == "residual" != helpers[name].head:
        name = f"residual_{name}"
    elif name in helpers:
        name = f"{name}_{_difference(pattern, helpers[name])}"
    return numbered(name.rstrip("_"), taken)


def _difference(pattern: Term, other: Term) -> str:
    """The first layer name in a pattern that does not occur in another."""
    others = {str(term.head) for term in other.walk()}
    heads = (str(term.head) for term in pattern.walk() if term.kind in ("call", "atom", "param"))
    names = (_last(head) for head in heads if known(head) and head not in others)
    return next((name for name in names if name.isidentifier()), "")


def _last(head: str) -> str:
    """The name without its namespace: `exp` of `ops.exp`."""
    return head.removeprefix("ops.")


def numbered(name: str, taken: set[str]) -> str:
    """The name, with a number appended if it is taken."""
    return next(n for n in chain([name], (f"{name}_{i}" for i in count(2))) if n not in taken)


def _described(pattern: Term, helpers: set[str]) -> str:
    if pattern.kind == "op":
        inner = [_word(a) for a in pattern.args if a.head != "identity"]
        return "_".join(dict.fromkeys([*inner[:2], "gate" if pattern.head == "*" else "sum"]))
    if pattern.kind == "items":
        return "_".join(list(dict.fromkeys(map(_word, pattern.args)))[:3])
    fixed = [n for n, a in zip(pattern.names, pattern.args) if n and a.kind != "param" and n != "name"]
    if pattern.head in helpers and fixed:
        return f"first_{pattern.head}" if "shortcut" in fixed else f"{pattern.head}_with_{fixed[-1]}"
    inner = [a for n, a in zip(pattern.names, pattern.args) if n is None or n in ("body", "block")]
    inner = [a for a in inner if a.kind != "atom" or _last(str(a.head)).isidentifier()]  # not a number
    if inner and pattern.head in ("compose_seq", "branch", "parallel"):
        heads = list(dict.fromkeys(_word(a) for a in inner))
        same = {"compose_seq": "stage", "branch": "branches", "parallel": "towers"}[pattern.head]
        return same if len(heads) == 1 and len(inner) > 1 else "_".join(heads[:3])
    if inner:
        return f"{_last(pattern.head)}_{_word(inner[0])}" if pattern.head != "residual" else "residual_block"
    kernel = pattern.get("kernel")
    if pattern.head == "conv" and kernel is not None and str(kernel.head).isdigit():
        return f"conv{kernel.head}x{kernel.head}"
    return _SHORT.get(pattern.head, _last(pattern.head))


def _word(term: Term) -> str:
    head = _last(str(term.head)) if term.kind in ("call", "atom") else ""
    head = head if head.isidentifier() else "part"
    return _SHORT.get(head, head)


def parameter_names(pattern: Term, uses: list[dict[str, Term]], taken: set[str]) -> dict[str, str]:
    """A name for each parameter: that of the argument it is passed as. The last of several keeps the plain name."""
    argument: dict[str, str] = {}
    for term in pattern.walk():
        for name, arg in term.labelled():
            if arg.kind == "param":
                argument.setdefault(arg.head, name or _role([use[arg.head] for use in uses]))
    gates = [t for part in pattern.args for t in part.walk() if t.kind == "op" and t.head == "*"]
    in_gates = Counter(t.head for gate in gates for t in gate.walk() if t.kind == "param")
    total = Counter(t.head for t in pattern.walk() if t.kind == "param")
    argument |= {p: "squeeze" for p in in_gates if argument[p] in _SIZES and in_gates[p] == total[p]}
    counts = Counter(argument[p] for p in params(pattern))
    result: dict[str, str] = {}
    seen: Counter = Counter()
    for p in params(pattern):
        name = argument[p]
        seen[name] += 1
        names = [name] if seen[name] == counts[name] else []
        names += _INNER if name in _SIZES and seen[name] == 1 else []
        names += [f"{name}_{i}" for i in range(seen[name], 99)]
        later = set(counts) - {name}
        result[p] = next(n for n in names if n not in taken and n not in result.values() and n not in later)
    return result


def is_size(name: str) -> bool:
    return name.rstrip("_0123456789") in {*_SIZES, *_INNER, "squeeze"}


def _role(values: list[Term]) -> str:
    if all(v.kind == "atom" and v.head.isdigit() for v in values):
        return "size"
    functions = [word(v.head) for v in values if v.kind == "atom" and known(v.head)]
    is_activation = len(functions) == len(values) and all(map(_is_activation, functions))
    return "activation" if is_activation else "layer"


def _is_activation(function: object) -> bool:
    return getattr(function, "floats_only", False) or getattr(function, "like_input", False)


def part_name(part: Term, outer: Term, label: str | None, i: int) -> str:
    """A variable name for a part of a call that is assigned before the call."""
    name = part.get("name")
    if name is not None and name.kind == "atom" and name.head[1:-1].isidentifier():
        return name.head[1:-1]
    if label:
        return label
    if part.head == "conv" and part.get("groups") is not None and part.get("groups") == part.get("filters"):
        return "depthwise"
    if str(part.head).endswith("_pool"):
        return "pool"
    if part.head == "compose_seq" and outer.head != "compose_seq":
        return "layers"
    return "first" if i == 0 else "last" if i == outer.names.count(None) - 1 else "middle"
