"""The stand-in for the batch's size, which must not become a number of the network."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.port.ir.weights import Constant, View


def refuse_stand_ins(
    layer: Layer, views: Iterable[View | tuple[View, ...]], stands_for_batch: Callable[[int], bool]
) -> None:
    """Raise `PortError` if a layer holds the stand-in for a size of the batch, or an array with a row for each example.

    A layer of the source's weights has their sizes, which may be any.
    """
    given = [t for view in views for t in (view if isinstance(view, tuple) else (view,))]
    constants = [t for t in given if isinstance(t, Constant)]
    if any(stands_for_batch(n) for t in constants for n in t.array.shape):
        raise PortError(
            "the same numbers for each example, got an array with numbers for each, as arange(batch) has them; "
            "make it an input of the model"
        )
    if len(constants) == len(given) and any(map(stands_for_batch, _numbers(layer))):
        raise PortError(
            f"a network for a batch of any size, got {layer.kind!r} with a number that depends on the size of the batch"
        )


def _numbers(value: Any) -> Iterator[int]:
    """The whole numbers in a layer."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield int(value)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, Layer) and value.kind == "at":
        yield from map(int, re.findall(r"\d+", getattr(value, "index", "")))
    elif isinstance(value, Layer):
        for field in dataclasses.fields(value):
            yield from _numbers(getattr(value, field.name))
