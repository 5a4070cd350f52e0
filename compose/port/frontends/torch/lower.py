"""From an exported graph to layers: node by node, tracking layout."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.port.frontends.torch.capture import sizes_of, user_line
from compose.port.frontends.torch.choose import choice, is_choice
from compose.port.frontends.torch.constants import folded, wide, without_batch
from compose.port.frontends.torch.each_example import constant, of_batch, whole
from compose.port.frontends.torch.graph import feeds_image, in_place, live_nodes, refuse_unknown_sizes
from compose.port.frontends.torch.inlining import inlined
from compose.port.frontends.torch.leaf_modules import Whole, is_whole
from compose.port.frontends.torch.operands import alone
from compose.port.frontends.torch.parameters import leaf_weights, read_parameters
from compose.port.frontends.torch.passes.idioms import idiom
from compose.port.frontends.torch.registry import class_rule, named_rule
from compose.port.frontends.torch.rule_application import RuleApplication
from compose.port.frontends.torch.rules.dtype import rounded
from compose.port.frontends.torch.rules.mask import READ_MASKS
from compose.port.frontends.torch.rules.recurrent import RECURRENT
from compose.port.frontends.torch.sizes import computed, stand_ins, symbol
from compose.port.frontends.torch.transforms import refuse_levels
from compose.port.frontends.torch.undone import of_each
from compose.port.frontends.torch.unread import needed, unread_parts
from compose.port.frontends.torch.weight_expressions import Derived, beside_of
from compose.port.frontends.torch.writes import out_of_place
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.weights import Constant
from compose.port.lowering.base import Place
from compose.port.lowering.values import Pending, Value, Weight, channels_last, identity_axes

_READ_PENDING = ("select", "squeeze", "reshape", "view", *READ_MASKS, *RECURRENT)  # they read parts of such a result
_ABSENT = object()  # what the model itself gives as None
_SAME = ("contiguous", "clone", "alias", "lift_fresh_copy", "lift_fresh")


class TorchLowering(RuleApplication):
    """The lowering of one exported program.

    Attributes:
        apart: the parameters that are values from the start, since layers which differ read them.
        leaves: the weights of modules that stay whole.
        known: the buffers from which constants were computed, which therefore are constants too.
        emitted_sizes: the values of the sizes that the model computes with, by their nodes.
    """

    example = "'aten.name'"

    def __init__(
        self, program: torch.export.ExportedProgram, calls: list[Whole], channels_first: bool,
        fixed_batch: bool = False, apart: frozenset[str] = frozenset(),
    ):  # fmt: skip
        super().__init__()
        self.fixed_batch, self.apart = fixed_batch, apart
        inlined(program)
        program = out_of_place(program)
        self.program, self.calls, self.channels_first = program, calls, channels_first
        self.emitted_sizes: dict[torch.fx.Node, Value] = {}
        self.stand_ins = stand_ins(program.graph)
        self.live = live_nodes(program.graph)
        self.known: set[str] = set()
        idle = {n.args[-1] for n in program.graph.nodes if is_whole(n) and n not in self.live}
        self.leaves = leaf_weights(call for i, call in enumerate(calls) if i not in idle)
        self._values_of: dict[str, Value] = {}

    def run(self, name: str) -> SourceGraph:
        """Lower every node. Raises `PortError` for what cannot be lowered; operations without a rule are collected."""
        refuse_unknown_sizes(self.program.graph)
        parameters = read_parameters(self.program, self.live, self.leaves)
        self.untrained, self.unread = parameters.untrained, parameters.unread
        self.env.update(parameters.nodes)
        for node in self.program.graph.find_nodes(op="placeholder"):
            self.node = node
            if node not in self.env:
                self.env[node] = self._input(node)
        for node, weight in parameters.nodes.items():
            if isinstance(weight, Weight) and weight.view.source in self.apart:
                self.node, self.env[node] = node, self._alone(weight)
        output = None
        for node in self.program.graph.nodes:
            self.node = node
            if node.op == "call_function" and node in self.live:
                self.env[node] = self.call(node)
            elif node.op == "output":
                found: Any = lambda o: _ABSENT if o is None else self._found(o)
                output = map_aggregate(node.args[0], found)
        leaves: list[Value] = []
        outputs = self._outputs(output, leaves)
        wanted = set(pytree.tree_leaves(outputs))
        self.ops = [self._with_constants(op, parameters.buffers) for op in needed(self.ops, wanted)]
        taken = {view.source for op in self.ops for view in op.views()}
        arrays = parameters.arrays | {n: array for n, array in parameters.buffers.items() if n in taken}
        axes = lambda v: None if v.axes == identity_axes(v.ndim) else v.axes
        return SourceGraph(
            tuple(v.index for v in self.inputs), tuple(self.ops), outputs, arrays, name,
            tuple(axes(v) for v in self.inputs), tuple(axes(v) for v in leaves), unread_parts(self.unread, self.ops),
        )  # fmt: skip

    def _with_constants(self, op: Op, buffers: dict[str, np.ndarray]) -> Op:
        """The layer with constants for the buffers from which other constants were computed."""

        def fixed(view: Any) -> Any:
            if isinstance(view, tuple):
                return tuple(map(fixed, view))
            if view.source not in self.known or view.source not in buffers:
                return view
            return Constant(array=wide(view.forward(buffers[view.source])))

        if not any(view.source in self.known for view in op.views()):
            return op
        weights, state = ({name: fixed(view) for name, view in tree.items()} for tree in (op.weights, op.state))
        inside = lambda ops: tuple(self._with_constants(inner, buffers) for inner in ops)
        bodies = tuple(replace(body, ops=inside(body.ops)) for body in op.bodies)
        return replace(op, weights=weights, state=state, bodies=bodies)

    # Hooks.

    def place(self) -> Place:
        stack = list((self.node.meta.get("nn_module_stack") or {}).values())
        path = stack[-1][0] if stack else ""
        names = tuple(part for part in path.split(".") if part)
        classes = tuple(str(cls).rpartition(".")[2] for _, cls in stack)[-len(names) :] if names else ()
        return Place(names, classes, user_line(self.node))

    def location(self) -> str:
        return user_line(self.node)

    @contextlib.contextmanager
    def separately(self) -> Iterator[None]:
        known, self.emitted_sizes = self.emitted_sizes, dict(self.emitted_sizes)
        try:
            with super().separately():
                yield
        finally:
            self.emitted_sizes = known

    def stands_for_batch(self, n: int) -> bool:
        return n in self.stand_ins or super().stands_for_batch(n)

    # What rules call.

    def reads(self, index: int) -> bool:
        """Whether anything reads this one of the node's outputs."""
        return any(user.args[1] == index and not self.live.isdisjoint(user.users) for user in self.node.users)

    def record_exact(self, node: torch.fx.Node, array: np.ndarray) -> None:
        """Record the exact values of the rounded buffer that a node depends on, if a layer computes it."""
        todo, seen = [node], set()
        while todo:
            node = todo.pop()
            seen.add(node)
            todo += [n for n in node.all_input_nodes if n not in seen]
            weight = self.env.get(node)
            if isinstance(weight, Weight) and weight.shape == array.shape and np.allclose(weight.array, array, 1e-6, 0):
                self.exact[weight.view.source] = array

    def fixed(self) -> set[str]:
        """The buffers whose values are part of the layers."""
        buffers = self.program.graph_signature.inputs_to_buffers
        read = {buffers[n.name] for n in self.program.graph.nodes if n.name in buffers and n in self.live}
        return read | (self.leaves & set(buffers.values()))

    # The walk.

    def _input(self, node: torch.fx.Node) -> Any:
        if not isinstance(node.meta["val"], torch.Tensor):
            return sizes_of(node.meta["val"])
        shape = sizes_of(node.meta["val"])
        image = not self.channels_first and len(shape) in (3, 4, 5) and feeds_image(node)
        value = Value(self.new_index(), shape, channels_last(len(shape)) if image else identity_axes(len(shape)))
        self.inputs.append(value)
        return value

    def _alone(self, weight: Weight) -> Value:
        """A weight that is read as it is, as a value from the start; all nodes of it are one."""
        source = weight.view.source
        if source not in self._values_of:
            self._values_of[source] = alone(self, weight, self.inputs[0])
        return self._values_of[source]

    def call(self, node: Any) -> Any:
        size = symbol(node)
        if size is not None:
            return size
        if isinstance(sizes_of(node.meta.get("val")), int) and not isinstance(node.meta.get("val"), torch.Tensor):
            return sizes_of(node.meta["val"])
        if is_choice(node):
            with self.named("torch.cond"):
                return choice(self, node)
        args = map_aggregate(node.args, self.lookup)
        kwargs = map_aggregate(node.kwargs, self.lookup)
        if node.target is operator.getitem:
            if isinstance(args[0], Derived):
                return args[0].part(args[1], node)
            return args[0][args[1]]
        name = str(node.target)
        aten = name.startswith("aten")
        if not is_whole(node) and not (aten and name.split(".")[1] in _READ_PENDING):
            args, kwargs = (map_aggregate(tree, _value) for tree in (args, kwargs))
        if is_whole(node):
            return self._leaf_module(args)
        if in_place(name) and isinstance(args[0], Weight):
            written = f"{args[0].view.source!r} is written at {user_line(node)}"
            raise PortError(f"a model that leaves its arrays alone in inference: {written}")
        with self.named(name):
            refuse_levels(node.target)
            made = computed(self, node, args, kwargs)
        if isinstance(made, Value):
            return made
        args, kwargs = made
        values = _leaves((args, kwargs))
        if not any(isinstance(v, (Value, Pending)) or (isinstance(v, Weight) and v.trained) for v in values):
            self.known |= {v.view.source for v in values if isinstance(v, Weight)}
            return folded(node, self.env)
        if name.split(".")[1] in _SAME:
            return args[0]
        args, kwargs = (map_aggregate(tree, without_batch) for tree in (args, kwargs))
        if not any(isinstance(v, Value) for v in values):  # of parameters; a constant may have rows for each example
            args, kwargs = (map_aggregate(tree, lambda v: of_batch(self, v)) for tree in (args, kwargs))
        args, kwargs = self._beside(args, kwargs)
        with self.named(name):
            args, kwargs = self._beside(*of_each(self, node, args, kwargs))
        values = _leaves((args, kwargs))
        match = idiom(self, node)
        if match is not None:
            return match
        rule = named_rule(name) or (named_rule(name.replace("_.", ".")) if in_place(name) else None)
        if rule is None:
            result = self.in_parts(node)
        elif not any(isinstance(v, (Value, Pending)) and not isinstance(v, Derived) for v in values):
            return self.of_weights(name, rule, values, *args, **kwargs)
        else:
            result = self.by_rule(name, rule, node, args, kwargs)
        result = rounded(self, node, result)
        if in_place(name):
            self.env[node.args[0]] = result
        return result

    def _beside(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments with values for expressions of parameters, if another of them is a value."""
        like = next((v for v in _leaves((args, kwargs)) if isinstance(v, Value)), None)
        if like is not None:
            args, kwargs = (map_aggregate(tree, beside_of(like)) for tree in (args, kwargs))
        return args, kwargs

    def _leaf_module(self, args: Any) -> tuple:
        given: Any = self.node.args[0]
        tensors, call = map(self._found, given), self.calls[args[-1]]
        rule = class_rule(type(call.module))
        assert rule is not None
        result = self.apply(type(call.module).__name__, rule, call, *tensors)
        return result if isinstance(result, tuple) else (result,)

    def _outputs(self, output: Any, leaves: list[Value]) -> Any:
        if isinstance(output, (tuple, list)):
            outputs = tuple(self._outputs(o, leaves) for o in output if o is not _ABSENT)
            return outputs[0] if len(outputs) == 1 else outputs
        output = _value(output)
        if isinstance(output, (np.ndarray, Weight)):
            output = constant(self, output)
        if not isinstance(output, Value):
            raise PortError(f"outputs that depend on the input, got {type(output).__name__}")
        output = self.whole(output)
        if self.channels_first or output.axes != channels_last(output.ndim):
            output = self.as_source(output)
        leaves.append(output)
        return output.index

    def _found(self, node: Any) -> Any:
        """What an output is, or a module reads; of what has one row for several that are alike, all rows."""
        value = self.lookup(node)
        value = value.beside(self.inputs[0]) if isinstance(value, Derived) else value
        return whole(self, value, node)


def _value(x: Any) -> Any:
    return x.value() if isinstance(x, Pending) and not isinstance(x, Derived) else x


def _leaves(tree: Any) -> list:
    return pytree.tree_leaves(tree, is_leaf=lambda v: isinstance(v, (Value, Weight, Layer)))
