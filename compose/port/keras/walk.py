"""The walk over a Keras model's nodes: what feeds what, nested models taken apart, shared layers met again."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.layer import as_layer
from compose.core.registry import word
from compose.port.graph import Op, Saved, SourceGraph
from compose.port.rules import class_rule, named_rule
from compose.port.weights import Take


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
        names = tuple(n for n, _ in self.path)
        classes = tuple(c for _, c in self.path)
        self.ops.append(Op(as_layer(layer), tuple(inputs), made, take(weights), take(state), names, classes))
        return made

    def take(self, weight: Any, **steps: Any) -> Take:
        """How a variable is taken, with the steps of `Take`."""
        return weight if isinstance(weight, Take) else Take(self._name(weight), **steps)

    @property
    def rank(self) -> int:
        """How many axes the first input of the operation being read has."""
        return len(self.node.input_tensors[0].shape)

    def inside(self, layer: Any, x: Ref, shape: tuple) -> Any:
        """What a layer that another holds makes of a value shaped so, the batch apart."""
        layer(keras.Input(shape))
        node = layer._inbound_nodes[-1]
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
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._node(node, env)
        self.within = outer
        return [env[id(t)] for t in model.outputs]

    def _node(self, node: Any, env: dict[int, Any]) -> None:
        if id(node.output_tensors[0]) in env:
            return

        def read(v: Any) -> Any:
            if not isinstance(v, keras.KerasTensor):
                return v
            if id(v) not in env:  # a mask that hangs on a value, of which the model's own list knows nothing
                history = v._keras_history  # pyright: ignore[reportAttributeAccessIssue]
                self._node(history.operation._inbound_nodes[history.node_index], env)
            return env[id(v)]

        args = keras.tree.map_structure(read, node.arguments.args)
        kwargs = keras.tree.map_structure(read, keywords(node))
        op = node.operation
        outer, self.path = self.path, (*self.path, (op.name, type(op).__name__))
        made = self._apply(op, node, args, kwargs)
        self.path = outer
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        for tensor, value in zip(node.output_tensors, made):
            env[id(tensor)] = value

    def _apply(self, op: Any, node: Any, args: Any, kwargs: Any) -> Any:
        inner = _inside(op, node)
        kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
        if inner is not None:
            if "mask" in kwargs and any(getattr(layer, "_call_has_mask_arg", False) for layer in inner.layers):
                raise PortError(
                    f"masks within one model, got one that enters {op.name}: call its layers in the outer one"
                )
            return self._model(inner, keras.tree.flatten(args))
        if isinstance(op, keras.layers.Lambda):
            self.missing.append(("Lambda", self._at(), "its code is not read: write it as a layer or an op"))
            return [self._number() for _ in node.output_tensors]
        family = "keras.layers" if isinstance(op, keras.Layer) else "keras.ops"
        fn = class_rule(type(op)) or named_rule(f"{family}.{type(op).__name__}")
        if fn is None:
            self.missing.append((f"{family}.{type(op).__name__}", self._at(), ""))
            return [self._number() for _ in node.output_tensors]
        self.node = node
        before = len(self.ops)
        try:
            if "mask" in kwargs and "mask" not in inspect.signature(fn).parameters:
                raise PortError(f"{type(op).__name__} without a mask, which has no equal here")
            made = fn(self, op, *args, **kwargs)
            if isinstance(op, keras.Layer) and op.weights and not op.trainable:
                self._freeze(before)
            return made
        except ComposeError as e:
            e.add_note(f"in the Keras layer {self._at()}")
            raise

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
    return _traced(model, [keras.Input(np.shape(x)[1:], dtype=str(np.asarray(x).dtype)) for x in inputs])


def _traced(layer: Any, inputs: list) -> Any:
    if not layer.built:
        layer(*inputs)
    try:
        outputs = layer.call(*inputs)
    except Exception as e:
        raise PortError(f"a call that Keras can trace symbolically, got {type(e).__name__} in {layer.name}: {e}") from e
    return keras.Model(inputs, outputs)


def _inside(op: Any, node: Any) -> Any:
    """The model inside a node: a nested one, or a layer of one's own that is made of layers."""
    made = getattr(op, "_functional", None) or op
    if isinstance(op, keras.Model) and hasattr(made, "_nodes_by_depth"):
        return made
    own = isinstance(op, keras.Layer) and type(op).__module__.split(".")[0] != "keras" and class_rule(type(op)) is None
    if not own:
        return None
    return _traced(op, [keras.Input(t.shape[1:], dtype=t.dtype) for t in node.input_tensors])


def keywords(node: Any) -> dict[str, Any]:
    """The keyword arguments of a call, with the masks that Keras takes from the values as it runs."""
    op, given = node.operation, dict(node.arguments.kwargs)
    if not isinstance(op, keras.Layer):
        return given
    signature = inspect.signature(op.call)
    bound = signature.bind(*node.arguments.args, **given).arguments
    tensors = [k for k, v in bound.items() if any(isinstance(t, keras.KerasTensor) for t in keras.tree.flatten(v))]
    for name in tensors:
        key = "mask" if len(tensors) == 1 else f"{name}_mask"
        if key in signature.parameters and given.get(key) is None:
            given[key] = keras.tree.map_structure(lambda t: getattr(t, "_keras_mask", None), bound[name])
    return given


def examples_for(model: Any) -> list[np.ndarray]:
    """Random inputs of a batch of three; open lengths are seven. Masks and ids begin with what is no padding."""
    rng = np.random.default_rng(0)
    padding = [layer.mask_value for layer in model._flatten_layers() if isinstance(layer, keras.layers.Masking)]
    made = []
    for x in model.inputs:
        shape, dtype = (3, *(7 if n is None else n for n in x.shape[1:])), str(x.dtype)
        if "float" in dtype:
            drawn = rng.normal(size=shape)
            if padding and len(shape) > 2:
                drawn[0, 1], drawn[-1, -2:] = padding[0], padding[0]
        else:
            drawn = rng.integers(0, 2, shape)
            drawn[..., :1] = 1
        made.append(drawn.astype(dtype))
    return made
