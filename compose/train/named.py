"""Examples that come with names: of the classes, of the columns of a table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from compose.core.errors import ConfigError, DataError
from compose.data.columns import Columns
from compose.data.dataset import Dataset
from compose.data.table import Table, table


@dataclass(frozen=True)
class Names:
    """What a model keeps of the examples that it was trained on.

    Attributes:
        classes: the name of each class; empty if there are none.
        columns: those of a table.
        features: the names of the columns of a data frame that was taken as an array, in its order.
    """

    classes: tuple[str, ...] = ()
    columns: Columns | None = None
    features: tuple[str, ...] = ()

    def to_json(self) -> str:
        columns = self.columns and self.columns.to_json()
        return json.dumps({"classes": self.classes, "columns": columns, "features": self.features})

    @classmethod
    def from_json(cls, text: str) -> Names:
        """Raises `ValueError` for what is not the result of `to_json`."""
        held = json.loads(text)
        if not isinstance(held, dict) or not isinstance(held.get("classes"), list):
            raise ValueError("its names are not those of classes and columns")
        if not all(isinstance(name, str) for name in held["classes"]):
            raise ValueError("its names of classes are not words")
        columns, features = held.get("columns"), held.get("features")
        if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
            raise ValueError("its names of features are not words")
        return cls(tuple(held["classes"]), None if columns is None else Columns.from_json(columns), tuple(features))


UNNAMED = Names()


def names_of(x: Any, start: Any) -> Names:
    """The names of a data set or a data frame; else those of the `Trained` that training starts from."""
    if isinstance(x, Dataset):
        return Names(tuple(x.names), x.columns if isinstance(x, Table) else None)
    known = getattr(start, "names", None) or UNNAMED
    if not _is_frame(x) or known.features:
        return known
    features = tuple(x.columns)
    named = all(isinstance(name, str) for name in features) and len(set(features)) == len(features)
    return replace(known, features=features) if named else known


def in_order(x: Any, names: Names) -> Any:
    """A data frame with the columns that a network was trained on, in their order; other examples as they are.

    Raises `DataError` for a column that is missing.
    """
    if not names.features or not _is_frame(x):
        return x
    for name in names.features:
        if name not in x.columns:
            had = ", ".join(map(repr, x.columns))
            raise DataError(f"x has no column {name!r}, which the network was trained on; it has {had}")
    return x[list(names.features)]


def _is_frame(x: Any) -> bool:
    """Whether it is a data frame of pandas or polars, read already."""
    kind = type(x)  # of which a lazy frame would compute
    return hasattr(kind, "columns") and hasattr(kind, "dtypes") and not hasattr(kind, "collect")


def pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Inputs and targets, also of a data set, which has both. Raises `ConfigError` for a data set and targets."""
    if not isinstance(x, Dataset):
        return x, y
    if y is not None:
        raise ConfigError("a data set, which has its targets, or x and y", f"{x!r} and y")
    return x.x, x.y


def raw(x: Any, names: Names, targets: bool) -> Any:
    """A data frame or a dict of columns as what a network was trained on; other examples as they are.

    Raises `DataError` for a column that is missing, also for the targets, where they are needed.
    """
    columns, x = names.columns, in_order(x, names)
    if columns is None or isinstance(x, Dataset) or not (isinstance(x, dict) or hasattr(type(x), "columns")):
        return x
    found = table(x, columns=columns)
    if targets and not len(found.y):
        raise DataError(f"the table: no column {columns.target.name!r}, the target of the network")
    return found
