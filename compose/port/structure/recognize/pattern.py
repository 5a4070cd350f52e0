"""Patterns: expressions of words, with variables for values (`Var`), numbers and options (`Slot`).

`x * rsqrt(mean(x * x) + Slot("epsilon"))` is written as the formula is. Sums and products match whatever way they are
nested and whatever the order of their operands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union


class Pattern:
    """An expression; operators build sums and products."""

    def __add__(self, other: Operand) -> Pattern:
        return _sum(self, other)

    __radd__ = __add__

    def __sub__(self, other: Pattern) -> Pattern:
        return _sum(self, -1.0 * other)

    def __mul__(self, other: Operand) -> Pattern:
        return _product(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Pattern) -> Pattern:
        return _product(self, Call("reciprocal", (other,)))


@dataclass(frozen=True)
class Slot:
    """A number or an option of a word that the match reads."""

    name: str


Number = Union[float, Slot]
Operand = Union[Pattern, float, Slot]


@dataclass(frozen=True)
class Var(Pattern):
    """Any value; the same one wherever the name occurs."""

    name: str


@dataclass(frozen=True)
class Call(Pattern):
    """A function word applied to values, with exactly these options."""

    word: str
    args: tuple[Pattern, ...]
    options: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Sum(Pattern):
    """Terms plus a number."""

    terms: tuple[Pattern, ...]
    number: Number = 0.0


@dataclass(frozen=True)
class Product(Pattern):
    """Factors times a number."""

    factors: tuple[Pattern, ...]
    number: Number = 1.0


def _sum(a: Pattern, b: Operand) -> Pattern:
    left = a if isinstance(a, Sum) else Sum((a,))
    right = b if isinstance(b, Sum) else Sum((b,)) if isinstance(b, Pattern) else Sum((), b)
    return Sum((*left.terms, *right.terms), _one_number(left.number, right.number, 0.0))


def _product(a: Pattern, b: Operand) -> Pattern:
    left = a if isinstance(a, Product) else Product((a,))
    right = b if isinstance(b, Product) else Product((b,)) if isinstance(b, Pattern) else Product((), b)
    return Product((*left.factors, *right.factors), _one_number(left.number, right.number, 1.0))


def _one_number(a: Number, b: Number, neutral: float) -> Number:
    if neutral not in (a, b):
        raise ValueError("one number for each sum or product of a pattern")
    return b if a == neutral else a
