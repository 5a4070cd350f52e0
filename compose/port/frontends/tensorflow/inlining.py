"""A graph without function calls, and without what its outputs do not need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef  # pyright: ignore[reportAttributeAccessIssue]
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from compose.core.errors import PortError

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
ASSIGNS = ("AssignVariableOp", "AssignSubVariableOp", "AssignAddVariableOp", "Assign", "AssignSub", "AssignAdd")


@dataclass(frozen=True)
class Update:
    """A variable that is written to: the tensor that stands for it, the operation, and what it is given."""

    variable: str
    node: Any
    given: str


class Flat:
    """The nodes of a graph by name, called functions inlined; inputs of a node are all written `node:index`.

    What a function `f` does inside is called `f>inner`.

    Args:
        graph: the `GraphDef`.
        given: for tensors that are fed the node that stands for each.
    """

    def __init__(self, graph: Any, given: dict[str, Any]):
        self.graph = graph
        self.library = {f.signature.name: f for f in graph.library.function}
        self.nodes: dict[str, Any] = {}
        self.stands: dict[str, str] = {}
        self.before: dict[str, list[str]] = {}  # what runs before a node, by its control inputs
        self.inside: dict[str, list[str]] = {}  # the nodes that came of a call
        self.numbers: dict[str, Any] = {}  # of tensors whose value is known
        self.sequences: dict[str, str] = {}  # of lists that were made of a tensor that tensor
        self.loops: dict[str, list[list[str]]] = {}  # of each that is written out the values before every step
        copy = type(graph)()
        copy.CopyFrom(graph)
        self.expand(copy.node, "", [])
        for tensor, node in given.items():
            self.nodes[node.name] = node
            self.stands[tensor] = f"{node.name}:0"

    def expand(self, body: Iterable[Any], prefix: str, before: list[str]) -> None:
        for node in body:
            reads = [prefix + indexed(i) for i in node.input if not i.startswith("^")]
            first = [prefix + i[1:] for i in node.input if i.startswith("^")] + before
            del node.input[:]
            node.input.extend(reads)
            node.name = prefix + node.name
            node.attr.pop("_class", None)
            self.before[node.name] = first
            name = node.attr["f"].func.name if node.op in CALLS else node.op
            if name in self.library:
                self.become(node, self.inline(self.library[name], node.input, f"{node.name}>", node.name))
            else:
                self.nodes[node.name] = node

    def inline(self, function: Any, given: Iterable[str], prefix: str, caller: str) -> list[str]:
        """What a function does with these tensors; the tensors that it returns."""
        body, names = function_def_to_graph_def(function)
        arguments = [a.name for a in function.signature.input_arg]
        self.stands.update({f"{prefix}{name}:0": tensor for name, tensor in zip(arguments, given)})
        inner = [n for n in body.node if n.name not in arguments]
        self.inside.setdefault(caller, []).extend(prefix + n.name for n in inner)
        results = [prefix + indexed(names[function.ret[r.name]]) for r in function.signature.output_arg]
        self.expand(inner, prefix, self.before.get(caller, []))
        return results

    def become(self, node: Any, results: list[str]) -> None:
        """The tensors that replace a node's outputs."""
        self.nodes.pop(node.name, None)
        self.stands.update({f"{node.name}:{i}": tensor for i, tensor in enumerate(results)})

    def settled(self, name: str) -> str:
        """The tensor that one became."""
        while name in self.stands:
            name = self.stands[name]
        return name

    def order(self, outputs: Iterable[str]) -> list[Any]:
        """The nodes that these need, each after those that it reads."""
        for node in self.nodes.values():
            reads = [self.settled(i) for i in node.input]
            if reads != list(node.input):
                del node.input[:]
                node.input.extend(reads)
        return needed(self.nodes, [self.settled(indexed(o)) for o in outputs])

    def imported(self, outputs: Iterable[str]) -> tf.Graph:
        """The part that these need, as a graph of TensorFlow in its own dtypes."""
        made = tf.Graph()
        graph = GraphDef(node=self.order(outputs), library=self.graph.library)
        graph.versions.CopyFrom(self.graph.versions)
        with made.as_default():
            tf.graph_util.import_graph_def(graph, name="")
        return made

    def updates(self, outputs: Iterable[str], also: Iterable[str] = ()) -> list[Update]:
        """The variables that are written to before these outputs are there, or by these nodes."""
        ran = self._ran([self.settled(indexed(o)).rpartition(":")[0] for o in outputs] + list(also))
        found = [self.nodes[name] for name in ran if name in self.nodes and self.nodes[name].op in ASSIGNS]
        return [Update(self.settled(n.input[0]), n, self.settled(n.input[1])) for n in found]

    def check_order(self, order: list[Any], updates: list[Update]) -> None:
        """Raise for a variable that is read after it was written to."""
        written = {update.variable: update.node.name for update in updates}
        for node in order:
            late = [i for i in node.input if i in written]
            if late and any(written[i] in self._ran([node.name]) for i in late):
                raise PortError(f"variables that are read before they are assigned, got {node.name} after it")

    def _ran(self, names: list[str]) -> dict[str, None]:
        """All that runs for these nodes to run."""
        seen: dict[str, None] = {}
        stack = list(names)
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen[name] = None
            stack += self.before.get(name, []) + self.inside.get(name, [])
            if name in self.nodes:
                stack += [self.settled(i).rpartition(":")[0] for i in self.nodes[name].input]
        return seen


def needed(nodes: dict[str, Any], outputs: list[str]) -> list[Any]:
    """The nodes that the outputs depend on, each after those that it reads."""
    done: dict[str, None] = {}
    stack = [o.rpartition(":")[0] for o in reversed(outputs)]
    opened: set[str] = set()
    while stack:
        name = stack[-1]
        if name in done or name in opened:
            done.setdefault(stack.pop())
            continue
        opened.add(name)
        reads = [i.rpartition(":")[0] for i in nodes[name].input]
        stack += [r for r in reversed(reads) if r not in done and r not in opened]
    return [nodes[name] for name in done]


def indexed(name: str) -> str:
    return name if ":" in name else f"{name}:0"
