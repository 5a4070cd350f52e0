"""Examples that come with names: of the classes, of the columns of a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
    """

    classes: tuple[str, ...] = ()
    columns: Columns | None = None

    def to_json(self) -> str:
        return json.dumps({"classes": self.classes, "columns": self.columns and self.columns.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Names:
        """Raises `ValueError` for what is not the result of `to_json`."""
        held = json.loads(text)
        if not isinstance(held, dict) or not isinstance(held.get("classes"), list):
            raise ValueError("its names are not those of classes and columns")
        if not all(isinstance(name, str) for name in held["classes"]):
            raise ValueError("its names of classes are not words")
        columns = held.get("columns")
        return cls(tuple(held["classes"]), None if columns is None else Columns.from_json(columns))


UNNAMED = Names()


def names_of(x: Any, start: Any) -> Names:
    """The names of a data set; else those of the `Trained` that training starts from, if there are such."""
    if isinstance(x, Dataset):
        return Names(tuple(x.names), x.columns if isinstance(x, Table) else None)
    return getattr(start, "names", None) or UNNAMED


def pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Inputs and targets, also of a data set, which has both. Raises `ConfigError` for a data set and targets."""
    if not isinstance(x, Dataset):
        return x, y
    if y is not None:
        raise ConfigError("a data set, which has its targets, or x and y", f"{x!r} and y")
    return x.x, x.y


def raw(x: Any, names: Names, targets: bool) -> Any:
    """A data frame or a dict of columns as the table that a network was trained on; other examples as they are.

    Raises `DataError` if there is no column for the targets, where they are needed.
    """
    columns = names.columns
    if columns is None or isinstance(x, Dataset) or not (isinstance(x, dict) or hasattr(type(x), "columns")):
        return x
    found = table(x, columns=columns)
    if targets and not len(found.y):
        raise DataError(f"the table: no column {columns.target.name!r}, the target of the network")
    return found
