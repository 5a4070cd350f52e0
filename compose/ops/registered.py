"""The operations by name, registered as the words `ops.name`."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy
import jax.scipy.linalg
import jax.scipy.special

from compose.core.registry import add_alias, add_word, alias_of
from compose.ops import algebra, arrangement, elementwise, reductions
from compose.ops.operation import Operation, operation

_LIKE_INPUT = elementwise.FLOAT_TO_FLOAT
_OF_A_LIST = (*arrangement.OF_A_LIST, *algebra.OF_A_LIST)

LISTED = tuple(
    sorted(
        (*_LIKE_INPUT, *elementwise.NAMES, *reductions.NAMES, *_OF_A_LIST, *arrangement.NAMES, *algebra.NAMES),
        key=lambda path: path.rpartition(".")[2],
    )
)  # below `jax`, as "numpy.linalg.det"


def function_at(path: str) -> Callable:
    """The function of JAX at a path of ours."""
    found = jax
    for part in path.split("."):
        found = getattr(found, part)
    return found  # pyright: ignore[reportReturnType]


def _registered(path: str) -> Operation:
    fn, name = function_at(path), path.rpartition(".")[2]
    op = operation(name, fn, like_input=path in _LIKE_INPUT, of_a_list=path in _OF_A_LIST)
    add_word(f"ops.{name}", op)
    if alias_of(fn) is None:  # a word of ours for the same function comes first
        add_alias(fn, op)
    return op


OPERATIONS = {path.rpartition(".")[2]: _registered(path) for path in LISTED}

OTHER_NAMES = elementwise.OTHER_NAMES | reductions.OTHER_NAMES | arrangement.OTHER_NAMES

for _path, _name in OTHER_NAMES.items():
    if alias_of(function_at(_path)) is None:
        add_alias(function_at(_path), OPERATIONS[_name])
