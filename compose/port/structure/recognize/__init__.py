"""Layers recognised in the operations of a graph, once for all front ends.

A pattern is an expression of plain words (`pattern`, `words`), `match` finds it whatever way its sums and products are
nested, and `rewrite` puts one layer where it matched. One file for each family of layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compose.port.ir.graph import Op
from compose.port.structure.recognize.activation import ACTIVATIONS
from compose.port.structure.recognize.attention import ATTENTION
from compose.port.structure.recognize.dense import DENSE
from compose.port.structure.recognize.moves import MOVES
from compose.port.structure.recognize.norm import NORMS
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.projections import PROJECTIONS
from compose.port.structure.recognize.rewrite import rewrite
from compose.port.structure.recognize.shapes import Shapes

_REWRITERS = (*ACTIVATIONS, *NORMS, *DENSE, *MOVES, *ATTENTION, *PROJECTIONS)


def recognize(ops: list[Op], output: int, inputs: Mapping[int, Any]) -> list[Op]:
    """The operations with every layer that is written out as that layer.

    Args:
        output: the value that the graph returns.
        inputs: the abstract values that come in; without them layers that depend on a shape are left written out.
    """
    return rewrite(Operations(ops, output, Shapes(inputs)), _REWRITERS).ops
