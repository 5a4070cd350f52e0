"""A graph of layers as one expression: modules, series and parallel parts, shared weights, repeated blocks."""

from __future__ import annotations

from typing import Any

from compose.combinators import branch
from compose.combinators import graph as graph_layer
from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.param import Param
from compose.core.plan import plan
from compose.core.run import abstract
from compose.port.ir.graph import SourceGraph
from compose.port.ir.recovered import Recovered
from compose.port.ir.weights import WeightMap
from compose.port.structure.canonicalize import canonicalize
from compose.port.structure.module_names import name_all, snake
from compose.port.structure.modules import Modules
from compose.port.structure.name_scopes import scoped
from compose.port.structure.piece import Piece
from compose.port.structure.reduce import one_node
from compose.port.structure.repeats import repeat_all
from compose.port.structure.sharing import share_all


def recover(graph: SourceGraph, *inputs: Any, repeats: bool = True) -> Recovered:
    """The expression that a graph of layers computes, as a person would write it.

    Args:
        graph: what a front end read.
        inputs: the network's inputs, as for `init`. With them layers that depend on shapes are recognised, equal
            blocks become a `repeat`, and the weights are checked against the network's parameters.
        repeats: False writes equal blocks out.

    Raises `PortError` where one weight is used in ways that cannot be shared, or the weights do not fill the
    network's parameters.
    """
    ops, output = canonicalize(graph, {v: abstract((x,)) for v, x in zip(graph.inputs, inputs)})
    ops = scoped(ops)
    whole = min((_piece(graph, ops, output, many) for many in (False, True)), key=_tangle)
    whole = name_all(share_all(whole))
    if inputs and repeats:
        whole = repeat_all(whole, plan(whole.layer, abstract(inputs)))
    weights = WeightMap(whole.records())
    if inputs:
        _check(whole.layer, weights, inputs)
    return Recovered(whole.layer, weights, _words(whole))


def _piece(graph: SourceGraph, ops: list, output: int, many: bool) -> Piece:
    nodes = Modules(ops, many).region(ops, 0, frozenset({output}))
    return one_node(nodes, graph.inputs, output).piece.but(label="")


def _tangle(piece: Piece) -> int:
    """The number of steps of the largest `graph` inside."""
    return max((len(p.layer.steps) for p in piece.walk() if isinstance(p.layer, graph_layer)), default=0)


def _words(whole: Piece) -> dict[Layer, str]:
    """The classes of the source's modules as words; a branch around one module takes that module's word."""
    words: dict[Layer, str] = {}
    for piece in whole.walk():
        inside = [kid.title for kid in piece.kids if kid.holds]
        title = piece.title or (inside[0] if len(inside) == 1 and isinstance(piece.layer, branch) else "")
        if title and piece.kids:
            words[piece.layer.but(name=None)] = snake(title)
    return words


def _check(net: Layer, weights: WeightMap, inputs: tuple) -> None:
    planned = plan(net, abstract(inputs))
    wanted = {
        (tree, path) for tree, of in (("params", planned.params), ("state", planned.state)) for path in _paths(of)
    }
    given = {(record.tree, record.target) for record in weights}
    if wanted != given:
        missing, extra = (", ".join(sorted(p for _, p in a - b)) for a, b in ((wanted, given), (given, wanted)))
        raise PortError(
            "the weights do not fill the network"
            + (f"; no weight for {missing}" if missing else "")
            + (f"; no parameter for {extra}" if extra else "")
        )


def _paths(tree: dict, path: tuple[str, ...] = ()) -> list[str]:
    found = []
    for key, value in tree.items():
        found += ["/".join((*path, key))] if isinstance(value, Param) else _paths(value, (*path, key))
    return found
