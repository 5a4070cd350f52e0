"""`table`: a CSV or Parquet file, or a data frame, as examples with typed columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from compose.combinators.branch import parallel
from compose.combinators.seq import compose_seq
from compose.core.errors import DataError
from compose.core.layer import Layer
from compose.data.columns import Column, Columns, column_of, plain
from compose.data.dataset import Dataset
from compose.data.dataset import split as split_arrays
from compose.layers.embedding import embedding
from compose.layers.encode import multi_hot
from compose.layers.join import concat
from compose.layers.norm.standard import standardize
from compose.layers.shape import flatten

Missing = Literal["error", "drop", "fill"]


@dataclass(frozen=True, eq=False)
class Table(Dataset):
    """Examples from a table, see `table`.

    Attributes:
        x: numbers `(n, columns)` in float32, or codes of words `(n, columns)` in int32, or the pair of both.
        y: labels `(n,)` in int32 if the target is words, else numbers `(n, 1)` in float32.
        names: the words of the target, the classes.
        columns: the names of the columns, and their words.
    """

    x: Any
    columns: Columns = None  # pyright: ignore[reportAssignmentType]

    def __len__(self) -> int:
        return len(self.x[0] if isinstance(self.x, tuple) else self.x)

    def __repr__(self) -> str:
        kinds = f"{len(self.columns.numbers)} of numbers, {len(self.columns.categories)} of words"
        target = f"{len(self.names)} classes" if self.names else f"{self.y.dtype}"
        return f"Table({len(self)} examples, {kinds}; {self.columns.target.name}: {target})"

    def split(self, test: float = 0.2, seed: int = 0, stratify: bool | None = None) -> TableSplit:  # pyright: ignore
        """Training and test examples at random, as `compose.data.split`; stratified if the target is words."""
        stratify = bool(self.names) if stratify is None else stratify
        parts = split_arrays(np.arange(len(self)), self.y, test, seed, stratify)
        return TableSplit(*(self.rows(part.x) for part in parts))

    def encoder(self, embed: int | None = None) -> Layer:
        """A layer that makes one vector of each row: numbers are standardized, words are one-hot.

        The means are those of these rows, so take it from the training part: it is the first layer of the network.

        Args:
            embed: the size of a learned vector for each word, instead of one-hot.
        """
        count, has_numbers = self.columns.codes, bool(self.columns.numbers)
        of_words = multi_hot(size=count) if embed is None else compose_seq(embedding(count, embed), flatten)
        if not self.columns.categories:
            return standardize.fit(self.x)
        return compose_seq(parallel(standardize.fit(self.x[0]), of_words), concat) if has_numbers else of_words

    def decoder(self) -> Layer:
        """The last layer of a network for a target of numbers: it answers in their unit; see `unstandardize`."""
        if self.y.ndim == 1:
            raise DataError(f"the target {self.columns.target.name!r} has classes; a decoder is for numbers")
        return standardize.fit(self.y).inverse


class TableSplit(NamedTuple):
    """Training and test examples of a table."""

    train: Table
    test: Table


def table(
    source: Any,
    target: str | None = None,
    *,
    categories: Sequence[str] = (),
    ignore: Sequence[str] = (),
    missing: Missing = "error",
    columns: Columns | None = None,
) -> Table:
    """Examples from a table.

    Columns of words become codes, those of numbers stay as they are; `Table.encoder` is the layer for both.

    Args:
        source: the path of a `.csv` or `.parquet` file, a data frame of pandas or polars, or a dict of columns.
            Parquet needs pandas or polars. The first line of a CSV file has the names.
        target: the name of the target's column; the last without.
        categories: columns of numbers that are words: a postcode, the number of a class.
        ignore: columns to leave out.
        missing: what becomes of lines without a value somewhere: an error, `"drop"` leaves them out, `"fill"` fills in
            the mean of the column, or for words a word of their own.
        columns: those of another table, or of a `Trained`: its words keep their codes. The target may be missing then,
            and `y` has no rows.

    Raises `DataError` for what cannot be read, with the line and the column.

    >>> houses = table({"area": [50, 80, 120], "town": ["Ulm", "Bonn", "Ulm"], "price": [200, 310, 420]}, "price")
    >>> houses
    Table(3 examples, 1 of numbers, 1 of words; price: float32)
    >>> houses.encoder()
    compose_seq(parallel(standardize(83.333336, 28.674417), multi_hot(size=2)), concat)
    """
    if missing not in ("error", "drop", "fill"):
        raise DataError(f"expected missing to be 'error', 'drop' or 'fill', got {missing!r}")
    held, lines, where = read_columns(source)
    if columns is not None:
        target = columns.target.name
    elif target is not None and target not in held:
        raise DataError(f"{where}: no column {target!r}; it has {', '.join(held)}")
    else:
        target = next(reversed(held)) if target is None else target
    for name in (*categories, *ignore):
        if name not in held:
            raise DataError(f"{where}: no column {name!r}; it has {', '.join(held)}")
    used = [c.name for c in columns.inputs] if columns else [n for n in held if n != target and n not in ignore]
    if not used:
        raise DataError(f"{where}: no columns besides the target {target!r}")
    if missing == "drop":
        whole = ~np.any([[v is None for v in held[name]] for name in (*used, target) if name in held], axis=0)
        held, lines = {name: values[whole] for name, values in held.items()}, lines[whole]
    if not len(lines):
        raise DataError(f"{where}: no examples")
    if columns is None:
        found = [column_of(name, held[name], name in categories, missing == "fill") for name in used]
        found.sort(key=lambda column: bool(column.words))
        columns = Columns(tuple(found), column_of(target, held[target], target in categories, False))
    y = _targets(columns.target, held[target], lines, where) if target in held else np.zeros((0,), np.float32)
    return Table(columns.encode(held, lines, where), y, columns.target.words, columns)


def _targets(column: Column, values: np.ndarray, lines: np.ndarray, where: str) -> np.ndarray:
    y = column.encode(values, lines, where)
    return y if column.words else y[:, None].astype(np.float32)


def read_columns(source: Any) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """The columns of a table as object arrays by name, the number of each line, and how errors call the table."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.is_file():
            raise DataError(f"{path}: no such file")
        if path.suffix.lower() == ".csv":
            return _csv(path)
        if path.suffix.lower() == ".parquet":
            return *_frame(_parquet(path), str(path)), str(path)
        raise DataError(f"{path}: expected a .csv or .parquet file")
    return *_frame(source, "the table"), "the table"


def _frame(frame: Any, where: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns of a data frame of pandas or polars, or of a dict."""
    is_dict = isinstance(frame, Mapping)
    if not is_dict and (hasattr(frame, "collect") or not hasattr(frame, "columns")):
        hint = "; .collect() makes a data frame of it" if hasattr(frame, "collect") else ""
        raise DataError(f"{where} must be a file, a data frame or a dict of columns; got {type(frame).__name__}{hint}")
    names = list(frame if is_dict else frame.columns)
    twice = sorted({str(name) for name in names if list(map(str, names)).count(str(name)) > 1})
    if twice:
        raise DataError(f"{where}: expected names of columns that differ; got {', '.join(twice)} more than once")
    held = {str(name): plain(list(frame[name]), str(name)) for name in names}
    lengths = {len(values) for values in held.values()}
    if len(lengths) != 1:
        raise DataError(f"{where}: expected columns of one length, got {sorted(lengths)}")
    return held, np.arange(1, lengths.pop() + 1)


def _parquet(path: Path) -> Any:
    for library in ("polars", "pandas"):
        try:
            module = __import__(library)
        except ImportError:
            continue
        try:
            return module.read_parquet(path)
        except Exception as e:  # a damaged file, or pandas without pyarrow
            raise DataError(f"{path}: {library} cannot read it: {str(e).splitlines()[0] if str(e) else e!r}") from None
    raise DataError(f"{path}: Parquet needs polars or pandas: pip install 'compose-jax[tables]'")


def _csv(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    except (csv.Error, UnicodeDecodeError) as e:
        raise DataError(f"{path}: cannot be read: {e}") from None
    if len(rows) < 2:
        raise DataError(f"{path}: expected a row of names and rows of examples; it has {len(rows)} rows")
    header, body = [cell.strip() for cell in rows[0][1]], rows[1:]
    uneven = next((n for n, row in body if len(row) != len(header)), None)
    if uneven is not None:
        raise DataError(f"{path}: line {uneven} does not have {len(header)} cells, as the first line does")
    if all(_number(cell) is not None for cell in header):
        raise DataError(f"{path}: expected the names of the columns in the first line; it holds numbers")
    if len(set(header)) < len(header) or "" in header:
        raise DataError(f"{path}: expected names of columns that differ; got {', '.join(map(repr, header))}")
    return (
        {name: _cells(name, [row[i] for _, row in body]) for i, name in enumerate(header)},
        np.array([n for n, _ in body]), str(path),
    )  # fmt: skip


def _cells(name: str, cells: list[str]) -> np.ndarray:
    """A column of a file: numbers if all that is there are numbers, else words."""
    held = plain(cells, name)
    numbers = [None if cell is None else _number(cell) for cell in held]
    if all(number is not None or cell is None for number, cell in zip(numbers, held)):
        return plain(numbers, name)
    return held


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
