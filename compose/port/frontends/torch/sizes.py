"""Sizes of the batch: integers in shapes, and values in the model's arithmetic."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.numbered import SHAPED
from compose.port.lowering.values import BATCH, Value

_LEAST = 1000  # smaller numbers are not taken for one that depends on the stand-in
_NUMBERS = ("Tensor", "number", "float")  # types of arguments that are computed with


class OfBatch:
    """A number that depends on the batch's size: its value is that for the stand-in, and `node` computes it."""

    node: Any

    def __new__(cls, node: Any, number: Any) -> Any:
        made: Any = super().__new__(cls, number)  # pyright: ignore[reportCallIssue]
        made.node = node
        return made


class Size(OfBatch, int):
    """An integer that depends on the batch's size."""


class Ratio(OfBatch, float):
    """A number with a fraction that depends on the batch's size."""


def symbol(node: torch.fx.Node) -> Size | Ratio | None:
    """The size that a node computes, if it is one and depends on the batch."""
    made = node.meta.get("val")
    if isinstance(made, torch.SymInt) and made.node.expr.free_symbols:
        return Size(node, sizes_of(made))
    if isinstance(made, torch.SymFloat) and made.node.expr.free_symbols:
        return Ratio(node, float(made.node.expr.subs({s: BATCH for s in made.node.expr.free_symbols})))
    return None


def stand_ins(graph: torch.fx.Graph) -> frozenset[int]:
    """The integers that the sizes of a graph have for the stand-in."""
    found: set[int] = set()
    for node in graph.nodes:
        for made in pytree.tree_leaves(node.meta.get("val")):
            sizes = made.shape if isinstance(made, torch.Tensor) else (made,)
            found |= {sizes_of(n) for n in sizes if isinstance(n, torch.SymInt) and n.node.expr.free_symbols}
    return frozenset(n for n in found if n >= _LEAST)


def computed(low: Any, node: torch.fx.Node, args: Any, kwargs: Any) -> tuple[Any, Any] | Value:
    """The arguments of a node, with values for the sizes that it computes with; the value itself if it makes one.

    Raises `PortError` for a size in another place, as the number of elements to keep.
    """
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return args, kwargs
    name = str(node.target).split(".")[1]
    kinds = [str(a.type).removeprefix("Optional[").rstrip("]") for a in schema.arguments]
    by_name = {a.name: kind for a, kind in zip(schema.arguments, kinds)}
    found = [(a, kind) for a, kind in zip(args, kinds) if isinstance(a, OfBatch)]
    found += [(a, by_name[n]) for n, a in kwargs.items() if isinstance(a, OfBatch)]
    if name == "arange" or not (found or (name not in SHAPED and _inside((args, kwargs)))):
        return args, kwargs
    if not found or (name not in SHAPED and any(kind not in _NUMBERS for _, kind in found)):
        raise PortError(f"{name} of sizes that do not depend on the batch")
    if name == "scalar_tensor" or (name == "full" and not args[0]):
        return value(low, found[0][0].node)
    with_numbers = [a for a, kind in found if kind in _NUMBERS]
    if with_numbers and not any(isinstance(a, Value) for a in (*args, *kwargs.values())):
        raise PortError(f"{name} of a value and the batch's size, got it of the batch's size and no value")
    turned = lambda a, kind: value(low, a.node) if isinstance(a, OfBatch) and kind in _NUMBERS else a
    return (
        tuple(turned(a, kind) for a, kind in zip(args, kinds)),
        {n: turned(a, by_name[n]) for n, a in kwargs.items()},
    )


def _inside(tree: Any) -> bool:
    """Whether a list in the arguments holds a size."""
    return any(isinstance(a, OfBatch) for a in pytree.tree_leaves(tree))


def value(low: Any, node: torch.fx.Node) -> Value:
    """A size, or a number computed from sizes, as a value of no axes. It is emitted once."""
    if node not in low.emitted_sizes:
        low.emitted_sizes[node] = _value(low, node)
    return low.emitted_sizes[node]


def _value(low: Any, node: torch.fx.Node) -> Value:
    name = _name(node.target)
    if name == "sym_size":
        source = low.env[node.args[0]]
        x = source if isinstance(source, Value) else low.inputs[0]
        if not isinstance(source, Value) and sizes_of(node.meta["val"]) != BATCH:
            raise PortError("the size of a value that depends on the input")
        axis = x.axis(int(node.args[1])) if x is source else 0  # pyright: ignore[reportArgumentType]
        return low.emit(word("ops.size")(axis=axis), low.whole(x), shape=(), axes=())
    if name == "sym_numel":
        return low.emit(word("ops.size"), low.whole(low.env[node.args[0]]), shape=(), axes=())
    given = [value(low, a) if isinstance(a, torch.fx.Node) and symbol(a) else a for a in node.args]
    given = [sizes_of(a.meta["val"]) if isinstance(a, torch.fx.Node) else a for a in given]
    emit = lambda layer, *xs: low.emit(layer, *xs, shape=(), axes=())
    if name in _OF_ONE:
        return emit(_OF_ONE[name](), *given)
    if name not in _OF_TWO:
        raise PortError(f"arithmetic of sizes by + - * / // % and **, got {name}")
    a, b = given
    if isinstance(a, Value) and isinstance(b, Value):
        return emit(word(f"ops.{_OF_TWO[name]}"), a, b)
    return emit(_with_number(name, a, b), a if isinstance(a, Value) else b)


def _with_number(name: str, a: Any, b: Any) -> Any:
    """The layer for a size and a number, on either side."""
    if isinstance(a, Value) and name in ("add", "sub"):
        return word("add_constant")(value=b if name == "add" else -b)
    if name in ("add", "mul"):
        known = b if isinstance(a, Value) else a
        return word("add_constant")(value=known) if name == "add" else word("scale")(by=known)
    operation, at = word(f"ops.{_OF_TWO[name]}"), 1 if isinstance(a, Value) else 0
    return operation(**{list(operation.__signature__.parameters)[at]: (a, b)[at]})


_OF_TWO = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "sym_max": "maximum", "sym_min": "minimum",
}  # fmt: skip
_OF_ONE = {
    "neg": lambda: word("scale")(by=-1), "sym_float": lambda: word("scale")(by=1.0),
    "_sym_sqrt": lambda: word("ops.sqrt"), "sqrt": lambda: word("ops.sqrt"),
}  # fmt: skip


def _name(target: Any) -> str:
    name = getattr(target, "__name__", str(target))
    if str(target).startswith("aten.sym_size"):
        return "sym_size"
    if str(target).startswith("aten.sym_numel"):
        return "sym_numel"
    names = {operator.floordiv: "floordiv", operator.truediv: "truediv", math.sqrt: "sqrt"}
    return names.get(target, name)


def from_the_end(node: torch.fx.Node, bound: Any, axis: int) -> Any:
    """A bound as a place counted from the end of its axis, if both depend on the batch and their distance does not."""
    source: Any = node.args[0]
    length = source.meta["val"].shape[axis]
    if not isinstance(bound, Size) or not isinstance(length, torch.SymInt):
        return bound
    away = length.node.expr - bound.node.meta["val"].node.expr
    return -int(away) if away.is_Integer and away > 0 else None if away == 0 else bound
