"""From an exported graph to layers: node by node, keeping track of layout."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of, user_line
from compose.port.frontends.torch.float64 import exact
from compose.port.frontends.torch.leaf_modules import Whole
from compose.port.frontends.torch.passes.idioms import idiom
from compose.port.frontends.torch.rules.mask import READ_MASKS
from compose.port.frontends.torch.rules.recurrent import RECURRENT
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.weights import Constant, Take
from compose.port.lowering.base import Layers
from compose.port.lowering.registry import class_rule, named_rule
from compose.port.lowering.unsupported import Missing
from compose.port.lowering.values import BATCH, Pending, Value, Weight, channels_last, identity_axes
from compose.port.structure.recognize.attention import join_heads

_IMAGE_OPS = ("conv", "batch_norm", "pool", "upsample", "pixel_shuffle", "interpolate")
_READ_PENDING = ("select", "squeeze", "reshape", "view", *READ_MASKS, *RECURRENT)  # they choose what they read of it
_SAME = ("contiguous", "clone", "detach", "detach_", "alias", "lift_fresh_copy")


class Lowering(Layers):
    """The state of one lowering; rules call `emit` and the layout methods."""

    def __init__(self, program: Any, calls: list[Whole], channels_first: bool):
        super().__init__()
        self.program, self.calls, self.channels_first = program, calls, channels_first
        self.missing: list[Missing] = []
        self.env: dict[Any, Any] = {}
        self.node: Any = None
        self.like: Value | None = None  # beside which a node of parameters alone is lowered
        self.inputs: list[Value] = []
        self.buffers: dict[str, np.ndarray] = {}
        self.live = _live(program.graph)
        self.exact: dict[str, np.ndarray] = {}  # buffers that a layer computes, and the model rounded to float32
        self.unread: list[Take] = []
        self.gains: dict[str, str] = {}  # of a kernel under weight_norm
        self.of_keys: dict[int, Value] = {}  # masks (batch, keys), by the values that are these with axes of one
        self.tables: set[str] = set()  # of embeddings, to which projections may be tied
        self.untrained: set[str] = set()  # what the source does not train

    def run(self, name: str) -> SourceGraph:
        """Lower every node. Raises `PortError` at the first without a rule, unless they are collected."""
        arrays = self._bind_placeholders()
        output = None
        for node in self.program.graph.nodes:
            self.node = node
            if node.op == "call_function" and node in self.live:
                self.env[node] = self._call(node)
            elif node.op == "output":
                output = map_aggregate(node.args[0], self._lookup)
        leaves: list[Value] = []
        outputs = self._outputs(output, leaves)
        wanted = set(pytree.tree_leaves(outputs))
        self.ops = join_heads(_needed(self.ops, wanted), self.sizes, wanted)
        taken = {take.source for op in self.ops for take in op.takes()}
        arrays.update({name: array for name, array in self.buffers.items() if name in taken})
        axes = lambda v: None if v.axes == identity_axes(v.ndim) else v.axes
        return SourceGraph(
            tuple(v.index for v in self.inputs), tuple(self.ops), outputs, arrays, name,
            tuple(axes(v) for v in self.inputs), tuple(axes(v) for v in leaves), tuple(self.unread),
        )  # fmt: skip

    @property
    def shape(self) -> Any:
        return sizes_of(self.node.meta["val"])

    def place(self) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        stack = list((self.node.meta.get("nn_module_stack") or {}).values())
        path = stack[-1][0] if stack else ""
        names = tuple(part for part in path.split(".") if part)
        classes = tuple(str(cls).rpartition(".")[2] for _, cls in stack)[-len(names) :] if names else ()
        return names, classes, user_line(self.node)

    def finished(self, layer: Layer, weights: dict[str, Take], state: dict[str, Take]) -> tuple[Layer, dict[str, Take]]:
        """Under `weight_norm` where its kernel is, the gain laid out as the kernel; frozen if nothing trains it."""
        kernel = weights.get("kernel")
        if kernel is not None and kernel.source in self.gains:
            if kernel.split is not None or kernel.flip:
                raise PortError("weight_norm of a kernel of which no axes are joined or reversed")
            gain = Take(self.gains[kernel.source], axes=kernel.axes)
            layer, weights = word("weight_norm")(layer, epsilon=0.0), weights | {"weight_norm/kernel": gain}
        trains = any(not isinstance(t, Constant) and t.source not in self.untrained for t in weights.values())
        done = trains or state or not weights or isinstance(layer, word("frozen"))
        return (layer if done else word("frozen")(layer)), weights

    def reads(self, index: int) -> bool:
        """Whether anything reads this one of the node's outputs."""
        return any(user.args[1] == index and user.users for user in self.node.users)

    def _bind_placeholders(self) -> dict[str, np.ndarray]:
        signature = self.program.graph_signature
        parameters, buffers = signature.inputs_to_parameters, signature.inputs_to_buffers
        constants = signature.inputs_to_lifted_tensor_constants
        tensors = {**dict(self.program.named_parameters()), **dict(self.program.named_buffers())}
        tensors.update({k: v for k, v in self.program.constants.items() if isinstance(v, torch.Tensor)})
        first_names: dict[int, str] = {}
        idle: dict[str, bool] = {}  # as those of an auxiliary head, which only training runs
        arrays: dict[str, np.ndarray] = {}
        for node in (n for n in self.program.graph.nodes if n.op == "placeholder"):
            if node.name in parameters or node.name in buffers:
                name = parameters.get(node.name) or buffers[node.name]
                tensor = tensors[name]
                first = first_names.setdefault(tensor.data_ptr() or id(tensor), name)  # tied weights keep one name
                array = tensor.detach().cpu().numpy().copy()  # which the model may go on to train
                if node.name in parameters:
                    arrays.setdefault(first, array)
                    idle[first] = idle.get(first, True) and node not in self.live
                else:
                    self.buffers[name] = array
                if not tensor.requires_grad:
                    self.untrained.add(first)
                self.env[node] = Weight(Take(first), tuple(array.shape), array, node.name in parameters)
            elif node.name in constants:
                self.env[node] = _wide(tensors[constants[node.name]].detach().cpu().numpy().copy())
            else:
                self.env[node] = self._input(node)
        self.unread += [Take(name) for name, alone in idle.items() if alone and name not in self._kept_whole()]
        return arrays

    def frequencies(self, node: Any, exact: np.ndarray) -> None:
        """The buffer of rounded frequencies that a node is made of, if there is one, is what a layer computes."""
        todo, seen = [node], set()
        while todo:
            node = todo.pop()
            seen.add(node)
            todo += [n for n in node.all_input_nodes if n not in seen]
            made = self.env.get(node)
            if isinstance(made, Weight) and made.array.shape == exact.shape and np.allclose(made.array, exact, 1e-6, 0):
                self.exact[made.take.source] = exact

    def fixed(self) -> set[str]:
        """The buffers whose values went into the layers."""
        buffers = self.program.graph_signature.inputs_to_buffers
        read = {buffers[n.name] for n in self.program.graph.nodes if n.name in buffers and n in self.live}
        return read | (self._kept_whole() & set(buffers.values()))

    def _kept_whole(self) -> set[str]:
        """The weights of modules that are kept whole, which no node reads."""
        pairs = ((call.path, name) for call in self.calls for name in call.module.state_dict())
        return {f"{path}.{name}" if path else name for path, name in pairs}

    def _input(self, node: Any) -> Any:
        if not isinstance(node.meta["val"], torch.Tensor):
            return sizes_of(node.meta["val"])
        shape = sizes_of(node.meta["val"])
        image = not self.channels_first and len(shape) in (3, 4, 5) and _feeds_image(node)
        value = Value(self.number(), shape, channels_last(len(shape)) if image else identity_axes(len(shape)))
        self.inputs.append(value)
        return value

    def _call(self, node: Any) -> Any:
        if isinstance(sizes_of(node.meta.get("val")), int) and not isinstance(node.meta.get("val"), torch.Tensor):
            return sizes_of(node.meta["val"])
        args = map_aggregate(node.args, self._lookup)
        kwargs = map_aggregate(node.kwargs, self._lookup)
        if node.target is operator.getitem:
            return args[0] if isinstance(args[0], Value) else args[0][args[1]]  # of what has no rule
        name = str(node.target)
        if not name.startswith("aten") or name.split(".")[1] not in _READ_PENDING:
            args, kwargs = (map_aggregate(tree, _value) for tree in (args, kwargs))
        if name.startswith("compose.whole"):
            return self._whole(args)
        if _in_place(name) and isinstance(args[0], Weight):
            written = f"{args[0].take.source!r} is written at {user_line(node)}"
            raise PortError(f"a model that leaves its arrays alone in inference: {written}")
        values = _leaves((args, kwargs))
        like = next((v for v in values if isinstance(v, Value)), None)
        if like is not None:
            beside: Any = lambda v: v.beside(like) if isinstance(v, Derived) else v
            args, kwargs = (map_aggregate(tree, beside) for tree in (args, kwargs))
        if not any(isinstance(v, (Value, Pending)) or (isinstance(v, Weight) and v.trained) for v in values):
            return self._fold(node)
        if name.split(".")[1] in _SAME:
            return args[0]
        args, kwargs = (map_aggregate(tree, _once) for tree in (args, kwargs))
        found = idiom(self, node)
        if found is not None:
            return found
        fn = named_rule(name) or named_rule(name.replace("_.", "."))
        if fn is None:
            self.missing.append(Missing(name, user_line(node)))
            return self._unknown(node, values)
        if not any(isinstance(v, (Value, Pending)) and not isinstance(v, Derived) for v in values):
            return self._of_weights(name, fn, values, *args, **kwargs)
        made = self._ruled(name, fn, node, *args, **kwargs)
        if _in_place(name):  # from here on the argument is the result
            self.env[node.args[0]] = made
        return made

    def _of_weights(self, name: str, fn: Any, values: list, *args: Any, **kwargs: Any) -> Any:
        """A parameter in another shape, or what is computed of parameters, where a value meets it."""
        unread = len(self.unread)
        if not any(isinstance(v, Derived) for v in values):
            try:
                return self._ruled(name, fn, self.node, *args, **kwargs)
            except PortError:
                del self.unread[unread:]
        return Derived(self, self.node, fn, args, kwargs, self.shape)

    @contextlib.contextmanager
    def at(self, node: Any, like: Value) -> Iterator[None]:
        """Lower another node for a while, beside a value."""
        before = self.node, self.like
        self.node, self.like = node, like
        try:
            yield
        finally:
            self.node, self.like = before

    def _whole(self, args: Any) -> tuple:
        *_, index = args
        tensors = args[0]
        call = self.calls[index]
        fn = class_rule(type(call.module))
        assert fn is not None
        made = self._ruled(type(call.module).__name__, fn, call, *tensors)
        return made if isinstance(made, tuple) else (made,)

    def _ruled(self, name: str, fn: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return fn(self, *args, **kwargs)
        except PortError as e:
            raise PortError(f"{name} at {user_line(self.node)}: {e}") from e
        except (TypeError, AttributeError) as e:  # a rule for values met a parameter, or an option that it has not
            raise PortError(f"{name} at {user_line(self.node)}: as its rule knows it, got another use ({e})") from e

    def _fold(self, node: Any) -> Any:
        """What depends on no data is computed once, now."""

        def real(a: Any) -> Any:
            a = self.env[a] if isinstance(a, torch.fx.Node) else a
            a = _wide(a.array) if isinstance(a, Weight) else a
            return torch.from_numpy(a) if isinstance(a, np.ndarray) else a

        args, kwargs = (map_aggregate(tree, real) for tree in (node.args, node.kwargs))
        with exact():
            made = node.target(*args, **kwargs)
        return pytree.tree_map(lambda t: t.numpy() if isinstance(t, torch.Tensor) else t, made)

    def _unknown(self, node: Any, values: list) -> Any:
        first = next((v for v in values if isinstance(v, Value)), self.inputs[0])
        shape = sizes_of(node.meta["val"]) if isinstance(node.meta["val"], torch.Tensor) else first.shape
        return Value(first.index, shape, identity_axes(len(shape)))

    def _outputs(self, output: Any, leaves: list[Value]) -> Any:
        if isinstance(output, (tuple, list)):
            made = tuple(self._outputs(o, leaves) for o in output)
            return made[0] if len(made) == 1 else made
        output = _value(output)
        if not isinstance(output, Value):
            raise PortError(f"outputs that depend on the input, got {type(output).__name__}")
        output = self.whole(output)
        if self.channels_first or output.axes != channels_last(output.ndim):
            output = self.as_source(output)
        leaves.append(output)
        return output.index

    def _lookup(self, value: Any) -> Any:
        return self.env[value] if isinstance(value, torch.fx.Node) else value


def _live(graph: Any) -> set:
    """The nodes that the outputs are computed of."""
    found, todo = set(), [n for n in graph.nodes if n.op == "output" or _in_place(str(n.target))]
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += node.all_input_nodes
    return found


def _needed(ops: list[Op], wanted: set[int]) -> list[Op]:
    """Without those that an idiom replaced."""
    wanted, kept = set(wanted), []
    for op in reversed(ops):
        if op.output in wanted:
            kept.append(op)
            wanted.update(op.inputs)
    return kept[::-1]


def _in_place(target: str) -> bool:
    name = target.removeprefix("aten.").partition(".")[0]
    return name.endswith("_") and not name.startswith("_")


def _value(x: Any) -> Any:
    return x.value() if isinstance(x, Pending) and not isinstance(x, Derived) else x


def _wide(array: np.ndarray) -> np.ndarray:
    """A constant in float64, as the proof computes it."""
    return array.astype(np.float64) if array.dtype == np.float32 else array


def _once(x: Any) -> Any:
    """What a rule is given for a constant: a buffer's array, without copies for each example."""
    if isinstance(x, Weight) and not x.trained and not np.issubdtype(x.array.dtype, np.floating):
        x = x.array
    if isinstance(x, np.ndarray):
        for axis in (a for a, n in enumerate(x.shape) if n and n % BATCH == 0):
            first = x.take([0], axis)
            x = first if x.strides[axis] == 0 or (x == first).all() else x
    return x


def _leaves(tree: Any) -> list:
    return pytree.tree_leaves(tree, is_leaf=lambda v: isinstance(v, (Value, Weight, Layer)))


def _feeds_image(node: Any, depth: int = 0) -> bool:
    """Whether an input's first use that cares for layout is one that wants channels."""
    for user in node.users:
        name = str(user.target)
        if any(op in name for op in _IMAGE_OPS):
            return True
        value = user.meta.get("val")
        alike = isinstance(value, torch.Tensor) and value.shape == node.meta["val"].shape
        if alike and depth < 20 and _feeds_image(user, depth + 1):
            return True
    return False
