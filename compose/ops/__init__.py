"""Functions of JAX as layers, under JAX's names: `ops.log1p`, `ops.sum(axis=1)`, `ops.take_along_axis(axis=1)`.

A closed list: each name stands in one of the lists beside this file, and an expression can use no other.
"""

from typing import TYPE_CHECKING

from compose.ops.registered import OPERATIONS as _OPERATIONS
from compose.ops.registered import Operation as _Operation

__all__ = tuple(sorted(_OPERATIONS))  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:

    def __getattr__(name: str) -> _Operation: ...


globals().update(_OPERATIONS)


def __dir__() -> list[str]:
    return list(__all__)
