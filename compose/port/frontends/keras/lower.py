"""The walk over a Keras model's nodes: what feeds what, nested models taken apart, shared layers met again."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.layer import as_layer
from compose.core.registry import word
from compose.port.frontends.flax.values import Weight
from compose.port.frontends.keras.constant_folding import known_result
from compose.port.frontends.keras.inlining import Known, traced
from compose.port.frontends.keras.masks import RunMasks
from compose.port.ir.graph import Op, Saved, SourceGraph
from compose.port.ir.weights import Constant, Take
from compose.port.lowering.registry import class_rule, named_rule


class Ref(int):
    """A value of the graph by its number; not to be taken for a number of the model's."""


class Walk:
    """One reading of a model; rules call `emit`."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.count = 0
        self.missing: list[tuple[str, str, str]] = []
        self.variables: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self.path: tuple[tuple[str, str], ...] = ()
        self.node: Any = None
        self.within: Any = None
        self.masks: dict[int, Any] = {}

    def run(self, model: Any, name: str) -> SourceGraph:
        """Read a functional model."""
        for variable in model.variables:
            self._name(variable)
        inputs = [self._number() for _ in model.inputs]
        outputs = self._model(model, inputs)
        taken = {t.source for op in self.ops for t in op.takes()}
        trained = {self.names[id(v)] for v in model.trainable_variables}
        arrays = {n: keras.ops.convert_to_numpy(v.value) for n, v in self.variables.items() if n in taken | trained}
        leaves = keras.tree.flatten(model.outputs)
        made = outputs[0] if len(outputs) == 1 else tuple(outputs)
        return SourceGraph(
            tuple(inputs), tuple(self.ops), made, arrays, name, (None,) * len(inputs), (None,) * len(leaves)
        )

    def saved(self, model: Any, arrays: dict[str, Any]) -> Saved:
        """What `model.get_weights()` gives, in its order."""
        names = [self._name(variable) for variable in model.weights]
        rest = {n: keras.ops.convert_to_numpy(self.variables[n].value) for n in names if n not in arrays}
        return Saved("keras", {n: n for n in names}, rest, frozenset(rest))

    def emit(self, layer: Any, *inputs: Any, weights: Any = None, state: Any = None) -> Ref:
        """Apply a layer: a new value. Weights are variables, or `Take`s of them."""
        for value in inputs:
            if not isinstance(value, Ref):
                raise PortError(f"values of the model as inputs of {layer}, got {type(value).__name__}")
        made = self._number()
        take = lambda tree: {k: self.take(w) for k, w in (tree or {}).items() if w is not None}
        given = [w for w in (weights or {}).values() if w is not None]
        if given and not any(map(self._trains, given)):
            layer = word("frozen")(as_layer(layer))
        names = tuple(n for n, _ in self.path)
        classes = tuple(c for _, c in self.path)
        self.ops.append(Op(as_layer(layer), tuple(inputs), made, take(weights), take(state), names, classes))
        return made

    def fixed(self, name: str, x: Ref, array: np.ndarray) -> Ref:
        """A value times, or plus, an array that is no weight of the model: `"learned_scale"`, `"learned_bias"`."""
        while array.ndim > 1 and len(array) == 1:
            array = array[0]
        taken = {name.removeprefix("learned_"): Constant(array=array)}
        return self.emit(self.sized(name, array.shape), x, weights=taken)

    def sized(self, name: str, shape: tuple[int, ...]) -> Any:
        """A learned scale or bias of a shape, which is not said where it is that of the channels."""
        return word(name)() if shape == self.node.input_tensors[0].shape[-1:] else word(name)(shape=shape)

    def take(self, weight: Any, **steps: Any) -> Take:
        """How a variable is taken, with the steps of `Take`."""
        if isinstance(weight, (Take, Weight)):
            return weight.take if isinstance(weight, Weight) else weight
        if not isinstance(weight, keras.Variable):
            raise PortError("weights as they are; merge LoRA or undo quantisation before, or take those layers out")
        return Take(self._name(weight), **steps)

    def weight(self, value: Any) -> Weight | None:
        """A variable, perhaps turned or reshaped; None for anything else."""
        if isinstance(value, keras.Variable):
            return Weight.whole(self._name(value), tuple(value.shape))
        return value if isinstance(value, Weight) else None

    @property
    def rank(self) -> int:
        """How many axes the first input of the operation being read has."""
        return len(self.node.input_tensors[0].shape)

    def keywords(self, node: Any) -> dict[str, Any]:
        """The keyword arguments of a call, with the masks that its values have as Keras runs."""
        return self.masks[id(node)]

    def inside(self, layer: Any, x: Ref, shape: tuple) -> Any:
        """What a layer that another holds makes of a value shaped so, the batch apart."""
        layer(keras.Input(shape))
        node = layer._inbound_nodes[-1]
        self.masks[id(node)] = dict(node.arguments.kwargs)
        env = {id(node.input_tensors[0]): x}
        self._node(node, env)
        return env[id(node.output_tensors[0])]

    def readers(self, tensor: Any) -> list[Any]:
        """The nodes of the model being read that read a symbolic value."""
        nodes = [node for depth in self.within._nodes_by_depth.values() for node in depth]
        return [n for n in nodes if any(t is tensor for t in n.input_tensors)]

    def _model(self, model: Any, inputs: list[Ref]) -> list[Ref]:
        env = dict(zip(map(id, model.inputs), inputs))
        outer, self.within = self.within, model
        self.masks |= RunMasks(model).given
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._node(node, env)
        self.within = outer
        return [env[id(t)] for t in model.outputs]

    def _node(self, node: Any, env: dict[int, Any]) -> None:
        if id(node.output_tensors[0]) in env:
            if any(node.output_tensors[0] is t for t in node.input_tensors):
                raise PortError(f"a layer that makes a value of its own, got {node.operation.name} with its input's")
            return

        def read(v: Any) -> Any:
            if not isinstance(v, keras.KerasTensor):
                return v
            if id(v) not in env:  # a mask that hangs on a value, of which the model's own list knows nothing
                history = v._keras_history  # pyright: ignore[reportAttributeAccessIssue]
                hanging = history.operation._inbound_nodes[history.node_index]
                self.masks.setdefault(id(hanging), dict(hanging.arguments.kwargs))
                self._node(hanging, env)
            return env[id(v)]

        op = node.operation
        outer, self.path = self.path, (*self.path, (op.name, type(op).__name__))
        made = op.value if isinstance(op, Known) else self._apply(op, node, read)
        self.path = outer
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        for tensor, value in zip(node.output_tensors, made):
            env[id(tensor)] = value

    def _apply(self, op: Any, node: Any, read: Any) -> Any:
        known = self.keywords(node)
        if _is_own(op):
            if any(isinstance(v, keras.random.SeedGenerator) for v in vars(op).values()):
                warnings.warn(
                    f"{op.name} draws random numbers by code of its own, which is read as in inference: where it draws "
                    "in training alone, put a layer of compose in its place by @compose.port.rule",
                    stacklevel=2,
                )
            model, values = traced(op, node.arguments.args, known)
            return self._model(model, [read(v) for v in values])
        args: Any = keras.tree.map_structure(read, node.arguments.args)
        kwargs: Any = keras.tree.map_structure(read, known)
        kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
        inner = getattr(op, "_functional", None) or op
        if isinstance(op, keras.Model) and hasattr(inner, "_nodes_by_depth"):
            if "mask" in kwargs and any(getattr(layer, "_call_has_mask_arg", False) for layer in inner.layers):
                raise PortError(
                    f"masks within one model, got one that enters {op.name}: call its layers in the outer one"
                )
            return self._model(inner, keras.tree.flatten(args))
        if isinstance(op, keras.layers.Lambda):
            return self._lacks("Lambda", node, "its code is not read: write it as a layer or an op")
        family = "keras.layers" if isinstance(op, keras.Layer) else "keras.ops"
        fn = class_rule(type(op)) or named_rule(f"{family}.{type(op).__name__}")
        self.node = node
        before = len(self.ops)
        try:
            if family == "keras.ops" and not any(isinstance(v, Ref) for v in keras.tree.flatten((args, kwargs))):
                return known_result(self, op, args, kwargs)
            if fn is None:
                return self._lacks(f"{family}.{type(op).__name__}", node)
            if "mask" in kwargs and "mask" not in inspect.signature(fn).parameters:
                raise PortError(f"{type(op).__name__} without a mask, which has no equal here")
            made = fn(self, op, *args, **kwargs)
            if isinstance(op, keras.Layer) and op.weights and not op.trainable:
                self._freeze(before)
            return made
        except ComposeError as e:
            e.add_note(f"in the Keras layer {self._at()}")
            raise

    def _lacks(self, what: str, node: Any, hint: str = "") -> list[Ref]:
        self.missing.append((what, self._at(), hint))
        return [self._number() for _ in node.output_tensors]

    def _trains(self, weight: Any) -> bool:
        take = self.take(weight)
        return not isinstance(take, Constant) and self.variables[take.source].trainable

    def _freeze(self, start: int) -> None:
        """Keras trains none of the weights of the last operations."""
        for i, op in enumerate(self.ops[start:], start):
            if (op.weights or op.state) and not isinstance(op.layer, word("frozen")):
                self.ops[i] = replace(op, layer=word("frozen")(op.layer))

    def _at(self) -> str:
        return "/".join(n for n, _ in self.path)

    def _name(self, variable: Any) -> str:
        known = self.names.get(id(variable))
        if known is None:
            known = variable.path
            while known in self.variables:
                known += "'"
            self.names[id(variable)] = known
            self.variables[known] = variable
        return known

    def _number(self) -> Ref:
        self.count += 1
        return Ref(self.count - 1)


def functional(model: Any, inputs: tuple) -> Any:
    """The model as a functional one; a subclassed model's `call` is traced on inputs like the examples."""
    made = getattr(model, "_functional", None) or model
    if hasattr(made, "_nodes_by_depth"):
        return made
    if not inputs:
        raise PortError("example inputs for a subclassed model: from_keras(model, x)")
    symbolic = lambda x: keras.Input(np.shape(x)[1:], dtype=str(np.asarray(x).dtype))
    if not model.built:
        model(*inputs)
    return traced(model, keras.tree.map_structure(symbolic, inputs), {})[0]


def _is_own(op: Any) -> bool:
    """Whether an operation is a layer or model of one's own, whose call is to be read."""
    if not isinstance(op, keras.Layer) or type(op).__module__.split(".")[0] == "keras":
        return False
    return class_rule(type(op)) is None and not hasattr(getattr(op, "_functional", None) or op, "_nodes_by_depth")
