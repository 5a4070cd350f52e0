"""Arguments that can be computed from another one in every call, such as `padding=kernel // 2` or `4 * size`."""

from __future__ import annotations

from compose.port.codegen.naming import is_size
from compose.port.codegen.terms import Term

_FACTORS = (2, 3, 4, 6, 8)
_SQUEEZED = (2, 4, 8, 12, 16, 24)
_LEAST = 3  # different sizes that must agree: two may do so by chance


def dependent_arguments(uses: list[dict[str, Term]], names: dict[str, str]) -> dict[str, Term]:
    """The parameters that can be computed from another one in all uses, each as an expression in that one's name."""
    numbers = {p: [int(use[p].head) for use in uses] for p in names if all(_is_int(use[p]) for use in uses)}
    expressions: dict[str, Term] = {}
    for p in sorted(numbers, key=lambda p: names[p] != "squeeze"):
        for source in numbers:
            if source == p or source in expressions or any(_reads(term, names[p]) for term in expressions.values()):
                continue
            texts = _relation(names[p], numbers[p], names[source], numbers[source])
            if texts:
                expressions[p] = Term("row", texts, (Term("param", names[source]),))
                break
    return expressions


def _relation(name: str, values: list[int], other: str, others: list[int]) -> tuple[str, str] | None:
    different = len(set(others))
    pairs = list(zip(values, others))
    if name == "padding" and other == "kernel":
        return ("", " // 2") if different > 1 and all(a == b // 2 for a, b in pairs) else None
    if name == "squeeze" and is_size(other) and different >= _LEAST:
        factor = next((f for f in _SQUEEZED if all(f * a == b for a, b in pairs)), None)
        return ("", f" // {factor}") if factor else None
    if is_size(name) and is_size(other) and different >= _LEAST:
        factor = next((f for f in _FACTORS if all(a == f * b for a, b in pairs)), None)
        return (f"{factor} * ", "") if factor else None
    return None


def _reads(term: Term, name: str) -> bool:
    return any(part.kind == "param" and part.head == name for part in term.walk())


def _is_int(term: Term) -> bool:
    return term.kind == "atom" and term.head.isdigit()
