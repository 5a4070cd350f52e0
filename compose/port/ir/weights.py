"""The weight map: explicit records of how each parameter is converted from the source, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from compose.core.errors import ParamsError


@dataclass(frozen=True)
class View:
    """An invertible conversion of a source array, or a part of it, to one parameter.

    The steps, in order: slice `rows` of the first axis and `columns` of the last; reshape to `split`; permute along an
    axis by `order`; transpose by `axes`; reverse the axes in `flip`; reshape to `shape`.

    Attributes:
        source: the array's name.
        rows: `(start, stop)` of the first axis, or None for all.
        columns: the same for the last axis.
        split: the shape before the transpose, or None.
        order: `(axis, indices)`, a permutation along an axis, or None.
        axes: the transpose, as for `numpy.transpose`; None for none.
        shape: the final shape, or None.
        flip: axes that are reversed after the transpose.
        note: the change of layout for display, such as `OIHW→HWIO`.
    """

    source: str
    rows: tuple[int, int] | None = None
    split: tuple[int, ...] | None = None
    order: tuple[int, tuple[int, ...]] | None = None
    axes: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None
    flip: tuple[int, ...] = ()
    note: str = ""
    columns: tuple[int, int] | None = None

    def part(self, array: np.ndarray) -> np.ndarray:
        """The rows and columns, as a view of the source's array."""
        if self.rows is None and self.columns is None:
            return array
        rows = slice(None) if self.rows is None else slice(*self.rows)
        return array[rows] if self.columns is None else array[rows, ..., slice(*self.columns)]

    def forward(self, array: np.ndarray) -> np.ndarray:
        """The parameter from the source's array."""
        part = self.part(array)
        part = part if self.split is None else part.reshape(self.split)
        part = part if self.order is None else part.take(self.order[1], self.order[0])
        part = part if self.axes is None else part.transpose(self.axes)
        part = np.flip(part, self.flip) if self.flip else part
        return part if self.shape is None else part.reshape(self.shape)

    def backward(self, param: np.ndarray, like: np.ndarray) -> np.ndarray:
        """The part of the source's array from the parameter; `like` is the source's array."""
        shape = self.part(like).shape
        split = self.split or shape
        transposed = split if self.axes is None else tuple(split[a] for a in self.axes)
        part = param.reshape(transposed)
        part = np.flip(part, self.flip) if self.flip else part
        part = part if self.axes is None else part.transpose(tuple(np.argsort(self.axes)))
        part = part if self.order is None else part.take(np.argsort(self.order[1]), self.order[0])
        return part.reshape(shape)


@dataclass(frozen=True, eq=False)
class Constant(View):
    """A constant array of the source that is not a weight. It is written to the network, and never back."""

    source: str = ""
    array: Any = None

    def __eq__(self, other: object) -> bool:
        return self is other  # constants are distinct even if their arrays are equal

    def __hash__(self) -> int:
        return id(self)

    def forward(self, array: np.ndarray) -> np.ndarray:
        return self.array

    @classmethod
    def of_rows(cls, dtype: str, values: Any) -> Constant:
        return cls(array=np.asarray(values, dtype))


@dataclass(frozen=True)
class Record:
    """A `View` and its target.

    Attributes:
        tree, target: `"params"` or `"state"`, and the path in it.
        at: the index of the block in a `repeat`.
        part: `(index, count)` if it is one of several equal parts along the last axis.
    """

    view: View
    tree: str
    target: str
    at: tuple[int, ...] = ()
    part: tuple[int, int] = (0, 1)

    def __str__(self) -> str:
        ends = [":" if ends is None else f"{ends[0]}:{ends[1]}" for ends in (self.view.rows, self.view.columns)]
        rows = f"[{', '.join(ends)}]" if self.view.columns else "" if self.view.rows is None else f"[{ends[0]}]"
        at = "".join(f"[{i}]" for i in self.at)
        part = f", part {self.part[0] + 1} of {self.part[1]}" if self.part[1] > 1 else ""
        note = f" : {self.view.note}" if self.view.note else ""
        return f"{self.view.source}{rows} → {self.target}{at}{part}{note}"


class WeightMap(tuple):
    """All records of a port, in the order of the network."""

    def __new__(cls, records: Iterable[Record]):
        return super().__new__(cls, records)

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def load(
        self, arrays: dict[str, np.ndarray], convert: Callable = np.asarray, release: bool = False
    ) -> tuple[dict, dict]:
        """Parameters and state from the source's arrays. Raises `ParamsError` if an array is missing.

        Args:
            convert: applied to each array, such as `jnp.asarray`.
            release: remove each array from `arrays` after its last use, to save memory for a large model.
        """
        reads = Counter(record.view.source for record in self)
        targets: dict[tuple[str, str], list[Record]] = {}
        for record in self:
            targets.setdefault((record.tree, record.target), []).append(record)
        trees: dict[str, dict] = {"params": {}, "state": {}}
        for (tree, target), records in targets.items():
            parts_of: dict[tuple[int, ...], list] = {}
            for record in records:
                parts_of.setdefault(record.at, []).append(_forward(record.view, arrays))
                reads[record.view.source] -= 1
                if release and not reads[record.view.source]:
                    arrays.pop(record.view.source, None)
            blocks = {at: parts[0] if len(parts) == 1 else np.concatenate(parts, -1) for at, parts in parts_of.items()}
            _put(trees[tree], target, convert(blocks[()] if () in blocks else _stacked(blocks)))
        return trees["params"], trees["state"]

    def dump(self, params: dict, state: dict, like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The source's arrays from parameters and state; arrays that are not in the map are copied from `like`."""
        arrays = {name: np.array(array) for name, array in like.items()}
        trees = {"params": params, "state": state}
        for record in self:
            if isinstance(record.view, Constant):
                continue
            value = np.asarray(_get(trees[record.tree], record.target))[record.at]
            value = np.split(value, record.part[1], -1)[record.part[0]] if record.part[1] > 1 else value
            old = arrays[record.view.source]
            part = record.view.backward(value, old).astype(old.dtype)
            if record.view.rows is None and record.view.columns is None:
                arrays[record.view.source] = part
            else:
                record.view.part(old)[:] = part
        return arrays

    def unused(self, arrays: dict[str, np.ndarray], unread: Iterable[View] = ()) -> list[str]:
        """The names of arrays that are not used exactly once in every part, except parts that the source does not use.

        Args:
            unread: the parts that the source does not use.
        """
        views = [*(record.view for record in self if not isinstance(record.view, Constant)), *unread]
        by_columns = {view.source for view in views if view.columns}
        shape = lambda name, array: array.shape if name in by_columns else array.shape[:1] or (1,)
        counts = {name: np.zeros(shape(name, array), np.uint8) for name, array in arrays.items()}
        for view in views:
            view.part(counts[view.source])[:] += 1
        return [name for name, count in counts.items() if not (count == 1).all()]

    def renamed(self, names: dict[str, str]) -> WeightMap:
        """The same map for a checkpoint with different array names."""
        return WeightMap(replace(r, view=replace(r.view, source=names.get(r.view.source, r.view.source))) for r in self)

    def rows(self) -> list[dict[str, Any]]:
        """The records as plain data, without fields that have their default value."""
        return [_data(record) | {"view": _view_data(record.view)} for record in self]

    @classmethod
    def of_rows(cls, rows: list[dict[str, Any]]) -> WeightMap:
        """The map from the output of `rows`; tuples may have become lists."""
        return cls(Record(**_tuples({**row, "view": _view_of(row["view"])})) for row in rows)

    def parameters(self) -> int:
        """The number of parameter and state arrays that the map fills."""
        return len({(r.tree, r.target) for r in self})


def linear(source: str, rows: tuple[int, int] | None = None) -> View:
    """A matrix stored as (out, in), converted to (in, out)."""
    return View(source, rows=rows, axes=(1, 0), note="OI→IO")


def _view_data(view: View) -> Any:
    return [view.array.dtype.name, view.array.tolist()] if isinstance(view, Constant) else _data(view)


def _view_of(data: Any) -> View:
    return View(**_tuples(data)) if isinstance(data, dict) else Constant.of_rows(*data)


def _data(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record) if getattr(record, f.name) != f.default}


def _tuples(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _tuples(value) for key, value in data.items()}
    return tuple(map(_tuples, data)) if isinstance(data, (list, tuple)) else data


def _forward(view: View, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if isinstance(view, Constant):
        return np.asarray(view.array, order="C")
    if view.source not in arrays:
        raise ParamsError(f"an array {view.source!r}", ", ".join(list(arrays)[:8]) + ", ...")
    return np.asarray(view.forward(np.asarray(arrays[view.source])), order="C")


def _stacked(blocks: dict[tuple[int, ...], np.ndarray]) -> np.ndarray:
    """Stack the arrays of a repeat's blocks along leading axes."""
    first = next(iter(blocks))
    lead = tuple(max(at[i] for at in blocks) + 1 for i in range(len(first)))
    return np.stack([blocks[at] for at in np.ndindex(*lead)]).reshape(*lead, *blocks[first].shape)


def _put(tree: dict, path: str, value: Any) -> None:
    *parents, leaf = path.split("/")
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[leaf] = value


def _get(tree: dict, path: str) -> Any:
    for key in path.split("/"):
        tree = tree[key]
    return tree
