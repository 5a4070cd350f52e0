"""Layers made of layers."""

from compose.combinators.branch import add, branch, collect, divide, identity, multiply, parallel, residual, subtract
from compose.combinators.choose import choose
from compose.combinators.graph import graph
from compose.combinators.repeat import repeat, stack, unstack
from compose.combinators.seq import compose_seq
from compose.combinators.share import share
from compose.combinators.wrappers import cast, frozen, lora, remat, when_training

__all__ = [
    "add", "branch", "cast", "choose", "collect", "compose_seq", "divide", "frozen", "graph", "identity", "lora",
    "multiply", "parallel", "remat", "repeat", "residual", "share", "stack", "subtract", "unstack", "when_training",
]  # fmt: skip
