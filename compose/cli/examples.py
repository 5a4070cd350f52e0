"""`--data`: examples with their targets, from a data set by name or from a table, in the form that a network takes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compose import Layer, data
from compose.core.errors import ComposeError, DataError, LayerError

SETS = {
    "mnist": data.mnist,
    "fashion-mnist": data.fashion_mnist,
    "digits": lambda: data.digits().split(),
    "iris": lambda: data.iris().split(),
}


@dataclass(frozen=True)
class Task:
    """Examples, what they are compared with, and the loss and metrics for that.

    `targets` are labels, or numbers `(n, outputs)`.
    """

    x: np.ndarray
    y: np.ndarray
    test: tuple[np.ndarray, np.ndarray] | None
    names: tuple[str, ...]
    loss: str
    metrics: tuple[str, ...]


def read(source: str, target: str | None, net: Layer, inputs: Any, loss: str | None, metrics: list[str]) -> Task:
    """The task that a network is to do on the data.

    Args:
        source: the name of a data set, a `.csv` table, or an `.npz` file with `x` and `y`.
        target: the column of a table with the targets; the last one by default.
        inputs: the network's input if it is known, a `ShapeDtypeStruct`; None for a new network.
        loss, metrics: as given; without them, what fits the targets.

    Raises `DataError` if the data cannot be read or does not fit the network.
    """
    x, y, test, names = _arrays(source, target)
    shape = _shape(source, net, inputs, x.shape[1:])
    put = lambda a: a.reshape(len(a), *shape)
    outputs = net.out(shape)
    fitted = _targets(source, y, outputs, loss)
    if test is not None:
        test = (put(test[0]), _targets(source, test[1], outputs, loss)[0])
    return Task(put(x), fitted[0], test, names, loss or fitted[1], tuple(metrics) or fitted[2])


def _arrays(source: str, target: str | None) -> tuple[np.ndarray, np.ndarray, Any, tuple[str, ...]]:
    if source in SETS:
        if target is not None:
            raise DataError(f"--target is the column of a table; {source} has its own targets")
        train, test = SETS[source]()
        return train.x, train.y, (test.x, test.y), train.names
    path = Path(source)
    if path.suffix.lower() not in (".csv", ".npz"):
        raise DataError(f"{source}: expected {', '.join(SETS)}, a .csv table or an .npz file with x and y")
    if not path.is_file():
        raise DataError(f"{source}: no such file")
    if path.suffix.lower() == ".csv":
        x, y, names = _table(path, target)
        return x, y, None, names
    try:
        with np.load(path) as held:
            return np.asarray(held["x"]), np.asarray(held["y"]), None, ()
    except Exception as e:  # a damaged file may raise anything
        raise DataError(f"{path}: expected arrays x and y: {str(e).splitlines()[0] if str(e) else e!r}") from None


def _table(path: Path, target: str | None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The numbers of a table, its target column, and the names of the classes if that holds words."""
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
    if target is not None and target not in header:
        raise DataError(f"{path}: no column {target!r}; it has {', '.join(header)}")
    at = len(header) - 1 if target is None else header.index(target)
    columns = [i for i in range(len(header)) if i != at]
    x = np.array([[_cell(path, n, header[i], row[i]) for i in columns] for n, row in body], np.float32)
    words = [row[at].strip() for _, row in body]
    if any(_number(word) is None for word in words):
        empty = next((n for (n, _), word in zip(body, words) if not word), None)
        if empty is not None:
            raise DataError(f"{path}: line {empty} has no value in the column {header[at]!r}")
        names, labels = np.unique(words, return_inverse=True)
        return x, labels.astype(np.int32), tuple(map(str, names))
    numbers = np.array([_cell(path, n, header[at], row[at]) for n, row in body])
    whole = (numbers == np.floor(numbers)).all() and np.abs(numbers).max() < 2**31
    return x, numbers.astype(np.int32 if whole else np.float32), ()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _cell(path: Path, line: int, column: str, text: str) -> float:
    value = _number(text)
    if value is None or not np.isfinite(value):
        got = repr(text) if text.strip() else "nothing"
        raise DataError(f"{path}: line {line} has {got} in the column {column!r}; expected a number")
    return value


def _shape(source: str, net: Layer, inputs: Any, have: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an example: as the network takes it, or as it is; images as vectors if they fit only so."""
    size = int(np.prod(have))
    if inputs is not None:
        if isinstance(inputs, tuple):
            raise DataError(f"{source}: the network takes {len(inputs)} inputs; data from here has one")
        want = tuple(inputs.shape[1:])
        if int(np.prod(want)) != size:
            raise DataError(f"{source}: the network takes examples of shape {want}; these have {have}")
        return want
    error: ComposeError | None = None
    for shape in dict.fromkeys((have, (size,))):
        try:
            out = net.out(shape)
        except LayerError as e:
            error = error or e
            continue
        if isinstance(out, tuple) and len(out) == 1 and isinstance(out[0], int):
            return shape
        error = error or DataError(f"{source}: expected a network whose output is one vector; for {have} it is {out}")
    assert error is not None
    raise error


def _targets(source: str, y: np.ndarray, outputs: Any, loss: str | None) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Targets for such outputs, and the loss and metrics that fit them."""
    count, whole = outputs[-1], y.dtype.kind in "biu"
    if y.ndim == 1 and whole and count > 1 and loss != "mse":
        if y.min() < 0 or y.max() >= count:
            raise DataError(
                f"{source}: the network has {count} outputs, so labels must be 0..{count - 1}; they range from "
                f"{y.min()} to {y.max()}"
            )
        return y, "cross_entropy", ("accuracy",)
    y = y.reshape(len(y), -1).astype(np.float32)
    if y.shape[1] != count:
        raise DataError(
            f"{source}: the network has {count} outputs, the data {y.shape[1]} target{'s' * (y.shape[1] > 1)}"
        )
    if whole and set(np.unique(y)) <= {0.0, 1.0}:
        return y, "binary_cross_entropy", ("accuracy",)
    return y, "mse", ("rmse",)


def network(text: str) -> Layer | None:
    """The network of an expression, or of a text file with one; None for a model file. Raises `ComposeError`."""
    from compose import parse

    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a name
        is_file = False
    if is_file and path.suffix == ".safetensors":
        return None
    if not is_file and (path.suffix == ".safetensors" or (path.suffix == ".txt" and "(" not in text)):
        raise DataError(f"{text}: no such file")
    try:
        return parse(path.read_text() if is_file else text)
    except UnicodeDecodeError:
        raise DataError(f"{text}: expected a text file with an expression, or a model file that ends in .safetensors") \
            from None  # fmt: skip
    except ComposeError as e:
        if is_file:
            e.args = (f"{text}: {e}",)
        raise
