"""A graph without function calls, and without what its outputs do not need."""

from __future__ import annotations

from typing import Any

from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def flat(graph: Any, outputs: list[str]) -> tuple[list[Any], list[str]]:
    """Nodes in an order in which they can run, called functions inlined, and the tensors that the outputs became.

    What a function `f` does inside is called `f>inner`. Inputs of a node are all written `node:index`.
    """
    library = {f.signature.name: f for f in graph.library.function}
    nodes: dict[str, Any] = {}
    stands: dict[str, str] = {}

    def expand(body: Any, prefix: str) -> None:
        for node in body:
            reads = [prefix + _indexed(i) for i in node.input if not i.startswith("^")]
            del node.input[:]
            node.input.extend(reads)
            node.name = prefix + node.name
            name = node.attr["f"].func.name if node.op in CALLS else node.op
            if name in library:
                inline(node, library[name])
            else:
                nodes[node.name] = node

    def inline(node: Any, function: Any) -> None:
        body, names = function_def_to_graph_def(function)
        prefix = f"{node.name}>"
        arguments = [a.name for a in function.signature.input_arg]
        for name, given in zip(arguments, node.input):
            stands[f"{prefix}{name}:0"] = given
        for i, result in enumerate(function.signature.output_arg):
            stands[f"{node.name}:{i}"] = prefix + _indexed(names[function.ret[result.name]])
        expand([n for n in body.node if n.name not in arguments], prefix)

    def settled(name: str) -> str:
        while name in stands:
            name = stands[name]
        return name

    copy = type(graph)()
    copy.CopyFrom(graph)
    expand(copy.node, "")
    for node in nodes.values():
        reads = [settled(i) for i in node.input]
        del node.input[:]
        node.input.extend(reads)
    ends = [settled(_indexed(o)) for o in outputs]
    return needed(nodes, ends), ends


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


def _indexed(name: str) -> str:
    return name if ":" in name else f"{name}:0"
