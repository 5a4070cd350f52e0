"""Questions about the nodes of an exported graph."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.port.frontends.torch.capture import user_line

_OF_ANY_LAYOUT = (["pad"], ["constant_pad_nd"], ["slice"], ["index"], ["index_select"], ["flip"], ["roll"], ["cat"])
_IMAGE_OPS = ("conv", "batch_norm", "pool", "upsample", "pixel_shuffle", "interpolate")


def live_nodes(graph: torch.fx.Graph) -> set[torch.fx.Node]:
    """The nodes that the outputs depend on."""
    live: set[torch.fx.Node] = set()
    todo = [n for n in graph.nodes if n.op == "output" or in_place(str(n.target))]
    while todo:
        node = todo.pop()
        if node not in live:
            live.add(node)
            todo += node.all_input_nodes
    return live


def is_choice(node: torch.fx.Node) -> bool:
    """Whether a node is a `torch.cond`."""
    return node.op == "call_function" and node.target is torch.ops.higher_order.cond


def branches(node: torch.fx.Node) -> list[torch.fx.Graph]:
    """The graphs of the two branches of a choice."""
    parts: Any = [getattr(node.graph.owning_module, way.target) for way in node.args[1:3]]  # pyright: ignore
    return [part.graph for part in parts]


def refuse_unknown_sizes(graph: torch.fx.Graph) -> None:
    """Raise `PortError` for a result whose size depends on the numbers of the input."""
    for node in graph.nodes:
        values = [v for v in pytree.tree_leaves(node.meta.get("val")) if isinstance(v, torch.Tensor)]
        if any(free_unbacked_symbols(n) for v in values for n in v.shape if isinstance(n, torch.SymInt)):
            raise PortError(
                f"results whose sizes do not depend on the input's numbers, got {node.target} at {user_line(node)}; "
                "torch.where(mask, x, 0) keeps the size"
            )


def in_place(target: str) -> bool:
    """Whether an operation writes to its first argument."""
    name = target.removeprefix("aten.").partition(".")[0]
    return name.endswith("_") and not name.startswith("_")


def feeds_image(node: torch.fx.Node, depth: int = 0) -> bool:
    """Whether the first use of an input that depends on its layout expects channels."""
    for user in node.users:
        name = str(user.target)
        if any(op in name for op in _IMAGE_OPS):
            return True
        if is_choice(user):
            given: Any = user.args[3]
            inner = [p for way in branches(user) for p, n in zip(way.find_nodes(op="placeholder"), given) if n is node]
            if any(feeds_image(n, depth + 1) for n in inner):
                return True
        value: Any = user.meta.get("val")
        before = node.meta["val"]
        alike = isinstance(value, torch.Tensor) and (
            value.shape == before.shape or (value.ndim == before.ndim and name.split(".")[1:2] in _OF_ANY_LAYOUT)
        )
        if alike and depth < 20 and feeds_image(user, depth + 1):
            return True
    return False
