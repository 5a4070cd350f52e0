"""The typed columns of a table: which hold numbers, which hold words, and how both become arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compose.core.errors import DataError

MISSING = ("", "NA", "N/A", "NaN", "nan", "null")  # how files write that there is no value


@dataclass(frozen=True)
class Column:
    """A column of numbers, or of words with their codes.

    Attributes:
        name: its name in the table.
        words: the distinct words in order, whose places are their codes; empty for numbers.
        fill: what stands for a missing value: a number, or a word; None if missing values are an error.
    """

    name: str
    words: tuple[str, ...] = ()
    fill: float | str | None = None

    def encode(self, values: np.ndarray, lines: np.ndarray, source: str) -> np.ndarray:
        """The numbers, or the codes of the words, of values as `plain` gives them. Raises `DataError`."""
        if not self.words:
            return self._numbers(values, lines, source)
        code = {word: i for i, word in enumerate(self.words)}
        words = [self._filled(value, line, source) for value, line in zip(values, lines)]
        for word, line in zip(words, lines):
            if word not in code:
                known = ", ".join(self.words[:8]) + (", ..." if len(self.words) > 8 else "")
                raise DataError(f"{source}: line {line} has {word!r} in the column {self.name!r}; known are {known}")
        return np.array([code[word] for word in words], np.int32)

    def _filled(self, value: Any, line: int, source: str) -> Any:
        if value is not None:
            return _word(value) if self.words else value
        if self.fill is None:
            what = "a word" if self.words else "a number"
            raise DataError(
                f"{source}: line {line} has nothing in the column {self.name!r}; expected {what}. missing='drop' "
                "leaves such lines out, missing='fill' fills in the mean, or a word of its own"
            )
        return self.fill

    def _numbers(self, values: np.ndarray, lines: np.ndarray, source: str) -> np.ndarray:
        found = []
        for value, line in zip(values, lines):
            value = self._filled(value, line, source)
            if isinstance(value, str) or not np.isfinite(value):
                raise DataError(
                    f"{source}: line {line} has {value!r} in the column {self.name!r}; expected a finite number"
                )
            found.append(value)
        return np.array(found, np.float64)


@dataclass(frozen=True)
class Columns:
    """The columns of a table: those that a network takes, and its target. A model file keeps them.

    Attributes:
        inputs: the columns for `x`: first come the numbers, then the words.
        target: the column for `y`.
    """

    inputs: tuple[Column, ...]
    target: Column

    @property
    def numbers(self) -> tuple[Column, ...]:
        return tuple(c for c in self.inputs if not c.words)

    @property
    def categories(self) -> tuple[Column, ...]:
        return tuple(c for c in self.inputs if c.words)

    @property
    def codes(self) -> int:
        """How many words the columns of words have together; each has a code of its own in `x`."""
        return sum(len(c.words) for c in self.categories)

    def encode(self, table: Mapping[str, np.ndarray], lines: np.ndarray, source: str) -> Any:
        """`x`: numbers `(n, columns)` in float32, codes `(n, columns)` in int32, or the pair of both."""
        for column in self.inputs:
            if column.name not in table:
                raise DataError(f"{source}: no column {column.name!r}; it has {', '.join(table)}")
        parts, first = [], 0
        if self.numbers:
            parts.append(np.stack([c.encode(table[c.name], lines, source) for c in self.numbers], 1).astype(np.float32))
        if self.categories:
            codes = []
            for column in self.categories:
                codes.append(first + column.encode(table[column.name], lines, source))
                first += len(column.words)
            parts.append(np.stack(codes, 1).astype(np.int32))
        return parts[0] if len(parts) == 1 else tuple(parts)

    def to_json(self) -> Any:
        """As lists, for a model file."""
        return [[c.name, list(c.words), c.fill] for c in (*self.inputs, self.target)]

    @classmethod
    def from_json(cls, values: Any) -> Columns:
        """The inverse of `to_json`. Raises `ValueError` for what is not its result."""
        ok = isinstance(values, list) and len(values) > 1 and all(map(_is_column, values))
        if not ok:
            raise ValueError("its columns are not a list of names, words and fills")
        *inputs, target = (Column(name, tuple(words), fill) for name, words, fill in values)
        return cls(tuple(inputs), target)


def column_of(name: str, values: np.ndarray, words: bool, fill: bool) -> Column:
    """The column that such values are; `words` if numbers in it are to be words, `fill` if values may be missing."""
    there = [v for v in values if v is not None]
    if not there:
        raise DataError(f"the column {name!r} has no values; leave it out with ignore=[{name!r}]")
    if words or any(isinstance(v, str) for v in there):
        all_numbers = not any(isinstance(v, str) for v in there)
        known = map(word_of, sorted(set(there))) if all_numbers else sorted({_word(v) for v in there})
        if fill and len(there) < len(values):
            return Column(name, ("", *known), "")
        return Column(name, tuple(known))
    return Column(name, (), float(np.mean(there)) if fill else None)


def word_of(value: float) -> str:
    """A number as a word: `3` for 3.0."""
    return str(int(value)) if float(value).is_integer() else str(value)


def _word(value: float | str) -> str:
    return value if isinstance(value, str) else word_of(value)


def plain(values: Sequence[Any] | np.ndarray, name: str) -> np.ndarray:
    """A column's values as an object array of float, str and, where there is none, None. Raises `DataError`."""
    return np.array([None if v is None else _plain(v, name) for v in values] + [None], object)[:-1]


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return None if value.strip() in MISSING else value.strip()
    if type(value).__name__ in ("NAType", "NaTType") or value != value:  # what pandas has for NaN, and NaN
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(
            f"the column {name!r} holds {type(value).__name__}, such as {value!r}; expected numbers or words"
        ) from None


def _is_column(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    name, words, fill = value
    return isinstance(name, str) and isinstance(words, list) and all(isinstance(w, str) for w in words) \
        and (fill is None or isinstance(fill, (str, int, float)))  # fmt: skip
