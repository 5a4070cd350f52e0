"""The rows of a summary, read from the plan."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax

from compose.combinators.branch import add, collect, identity, multiply
from compose.combinators.share import Cell, share
from compose.core.context import Context
from compose.core.plan import Plan
from compose.summary.brief import brief, is_leaf, letters, unnamed
from compose.summary.flops import flops

Scope = tuple[Plan, ...]  # the plans of enclosing shared layers, outermost first


@dataclass(frozen=True)
class Row:
    """One layer, or several equal consecutive layers.

    Attributes:
        path: its path, as in `net[path]`.
        label: the last part of the path.
        depth: the nesting depth.
        times: the number of such layers; the rows inside describe one of them.
        merged: the number of equal neighbours in this row; `times` counts what a `repeat` repeats too.
        layer: its expression, without layers that have their own rows.
        out: its output, a tree of `jax.ShapeDtypeStruct`; None for the definition of a shared layer.
        parameters, flops: the total for all of them.
    """

    path: str
    label: str
    depth: int
    times: int
    layer: str
    out: Any
    parameters: int
    flops: int
    merged: int = 1

    @property
    def heading(self) -> str:
        """The first column: the label, indented, with the number of layers."""
        return "  " * self.depth + self.label + (f" × {self.times}" if self.times > 1 else "")


def rows(plan: Plan) -> tuple[Row, ...]:
    """All rows of a plan, outermost first; equal neighbours are merged into one row."""
    if len(chain(plan)) == 1 and plan.parts and not is_leaf(plan):
        return tuple(_inside(plan, "", 0, ()))
    return tuple(_row([(plan.layer.key_name or plan.layer.kind, plan)], "", 0, ()))


def chain(plan: Plan) -> list[Plan]:
    """The plan and the plans inside it that add nothing to the path: wrappers, then the wrapped layer."""
    found = [plan]
    while not found[-1].layer.refers and [key for key, _ in found[-1].parts] == [""]:
        found.append(found[-1].parts[0][1])
    return found


def count(params: Any) -> int:
    """The number of elements in a tree of `Param`s or arrays."""
    leaves = jax.tree.leaves(params, is_leaf=lambda v: hasattr(v, "shape"))
    return sum(math.prod(p.shape) for p in leaves)


def cost(plan: Plan, scope: Scope = ()) -> int:
    """The FLOPs of one call in inference mode."""
    held = [(cell.param_specs(), cell.state_specs()) for cell in scope]

    def run(params, state, x, key, held):
        cells: tuple[Cell, ...] = ()
        for cell, (p, s) in zip(scope, held):
            cells = (*cells, Cell(cell.layer, cells, p, s))
        return plan.layer.call(params, state, x, Context(key=key, scope=cells))

    key = jax.eval_shape(jax.random.key, 0)
    return flops(run, plan.param_specs(), plan.state_specs(), plan.x, key, held)


_cost_alone = functools.lru_cache(maxsize=4096)(cost)


def hidden(key: str, plan: Plan) -> bool:
    """Whether a layer has no row: the identity, and the plain joins of branches and residuals."""
    return plan.layer in (identity, collect) or (key == "join" and plan.layer in (add, multiply))


def _inside(plan: Plan, path: str, depth: int, scope: Scope) -> Iterator[Row]:
    parts = plan.parts
    if isinstance(plan.layer, share):
        (key, held), parts = parts[0], parts[1:]
        text = f"{letters(len(scope) + 1)[-1]} = {brief(chain(held), len(scope))}"
        yield Row(_join(path, key), key, depth, 1, text, None, count(held.params), 0)
        scope = (*scope, held)
    for _, run in itertools.groupby(parts, key=_alike):
        yield from _row(list(run), path, depth, scope)


def _row(run: list[tuple[str, Plan]], path: str, depth: int, scope: Scope) -> Iterator[Row]:
    (key, first), last = run[0], run[-1][0]
    if hidden(key, first):
        return
    around = chain(first)
    label = key if len(run) == 1 else f"{key}…{last.removeprefix(_stem(key, last))}"
    ops = cost(first, scope) if scope else _cost_alone(first)
    turns = math.prod(p.times for p in around) * len(run)
    text = brief(around, len(scope))
    path = _join(path, key)
    merged = len(run)
    yield Row(path, label, depth, turns, text, first.out, merged * count(first.params), merged * ops, merged)
    if not is_leaf(around[-1]):
        yield from _inside(around[-1], path, depth + 1, scope)


def _alike(part: tuple[str, Plan]) -> Any:
    """A key that is equal for neighbours that can share one row."""
    plan = part[1]
    shapes = jax.tree.leaves((plan.x, plan.out))
    return (unnamed(plan.layer), tuple(shapes)) if plan.params else object()


def _stem(a: str, b: str) -> str:
    """The common start of two keys, up to the number that distinguishes them."""
    stem, underscore, number = a.rpartition("_")
    return stem + underscore if number.isdigit() and b.startswith(stem + underscore) else ""


def _join(path: str, key: str) -> str:
    return f"{path}/{key}" if path else key
