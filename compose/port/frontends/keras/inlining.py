"""A custom call, traced symbolically: the weights it reads become values, and the losses it adds are dropped."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import keras_tensor
from keras.src.backend.common.stateless_scope import in_stateless_scope

from compose.core.errors import PortError
from compose.keras.float64 import float64
from compose.port.frontends.keras.array_operators import left_to_symbols
from compose.port.frontends.keras.batch import A_LOOP, follow_batch
from compose.port.frontends.keras.registry import class_rule, named_rule
from compose.port.lowering.batch import SECOND
from compose.port.lowering.values import BATCH

_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "pow": "power", "matmul": "matmul",
    "floordiv": "floor_divide", "mod": "mod", "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
}  # fmt: skip


class Known(keras.Operation):
    """A weight or an array where Keras wants a symbolic value; `x` ties it to the model and is not read."""

    def __init__(self, value: Any):
        super().__init__()
        self.value = value

    def call(self, x: Any) -> Any:
        return keras.ops.convert_to_tensor(self.value)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.value.shape, keras.backend.standardize_dtype(self.value.dtype))


class Chosen(keras.Operation):
    """A result of one of two branches, by a boolean; the results of one choice have the same `choice`."""

    def __init__(self, choice: Any):
        super().__init__()
        self.choice = choice

    def call(self, condition: Any, a: Any, b: Any) -> Any:
        return keras.ops.where(condition, a, b)

    def compute_output_spec(self, condition: Any, a: Any, b: Any) -> Any:
        return keras.KerasTensor(a.shape, keras.backend.standardize_dtype(a.dtype))


def _either(condition: Any, first: Any, second: Any) -> Any:
    """The results of two branches, of which one is taken."""
    choice = object()
    return keras.tree.map_structure(lambda a, b: Chosen(choice)(condition, a, b), first, second)


def _one_of(index: Any, branches: Any, operands: tuple, at: int = 0) -> Any:
    """The results of the branch of this number, the first and the last for numbers beyond them."""
    made = branches[at](*operands)
    if at == len(branches) - 1:
        return made
    return _either(keras.ops.less_equal(index, at), made, _one_of(index, branches, operands, at + 1))


def traced(layer: Any, args: Any, kwargs: Any) -> tuple[Any, list]:
    """The call of a layer as a functional model, and the symbolic values of `args`, `kwargs` that are its inputs.

    It is in inference mode, and its constants are in float64. A mask that hangs on a value comes in beside it. Where
    the call asks for the size of the batch, a number stands for it, and what follows from it is marked.
    """
    values = [v for v in keras.tree.flatten((args, kwargs)) if isinstance(v, keras.KerasTensor)]
    values += [m for v in values if (m := getattr(v, "_keras_mask", None)) is not None]
    values = list({id(v): v for v in values}.values())
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    failure: Any = None
    outer = any(v.shape[:1] == (BATCH,) for v in values)  # the call around this one was traced with the number
    for batch in (BATCH,) if outer else (None, BATCH):
        try:
            made = _functional(layer, args, kwargs, values, batch)
            if batch is not None:
                follow_batch(made, _functional(layer, args, kwargs, values, SECOND))
            return made, values
        except RecursionError as e:
            raise PortError(f"{A_LOOP}, in {layer.name}") from e
        except PortError as e:
            e.add_note(f"in the Keras layer {layer.name}")
            raise
        except Exception as e:  # the last one: a call that reads the batch's size fails without a number for it
            failure = e
    said = f"{type(failure).__name__} in {layer.name}: {failure}"
    raise PortError(f"a call that Keras can trace symbolically, got {said}") from failure


def _functional(layer: Any, args: Any, kwargs: Any, values: list, batch: int | None) -> Any:
    """The call as a functional model, for a batch of so many examples, or of any size."""
    sizes = lambda v: (batch if v.shape[0] in (None, BATCH) else v.shape[0], *v.shape[1:])
    inputs: dict[int, Any] = {id(v): keras.Input(batch_shape=sizes(v), dtype=v.dtype) for v in values}
    for v in values:
        mask = getattr(v, "_keras_mask", None)
        if mask is not None:
            inputs[id(v)]._keras_mask = inputs[id(mask)]
    given: Any = keras.tree.map_structure(lambda v: inputs.get(id(v), v), (args, kwargs))
    anchor = inputs[id(values[0])]
    with _weights_are_symbolic(anchor):
        outputs = keras.tree.map_structure(
            lambda v: Known(v)(anchor) if isinstance(v, keras.Variable) else v, layer.call(*given[0], **given[1])
        )
        return keras.Model(list(inputs.values()), outputs)


@contextlib.contextmanager
def _weights_are_symbolic(anchor: Any) -> Iterator[None]:
    """Operations on weights alone, and layers on constants alone, are recorded too, as tied to the `anchor`."""
    before = keras_tensor.any_symbolic_tensors
    modules: list[Any] = [m for m in sys.modules.values() if getattr(m, "any_symbolic_tensors", None) is before]
    operation: Any = keras.Operation
    layer: Any = keras.Layer
    variable: Any = keras.Variable
    names = [f"__{r}{name}__" for name in _OPERATORS for r in ("", "r")]
    names = [name for name in names if hasattr(variable, name)] + ["__neg__", "__abs__", "__getitem__"]
    kept = [(operation, "symbolic_call"), (layer, "__call__"), (layer, "add_loss"), *((variable, n) for n in names)]
    held = {(cls, name): getattr(cls, name) for cls, name in kept}
    own = {(cls, name) for cls, name in kept if name in vars(cls)}

    def symbolic(args=None, kwargs=None):
        weights = any(isinstance(v, variable) for v in keras.tree.flatten((args, kwargs)))
        return before(args, kwargs) or (weights and not in_stateless_scope())

    def known(value, constants: bool = False):
        array = (constants and isinstance(value, np.ndarray)) or keras.ops.is_tensor(value)
        return Known(value)(anchor) if isinstance(value, variable) or (constants and array) else value

    def symbolic_call(op, *args, **kwargs):
        if not in_stateless_scope():
            if type(op).__name__ == "Cond":
                return _either(args[0], args[1](), args[2]())
            if type(op).__name__ == "Switch":
                return _one_of(args[0], args[1], args[2:])
            given: Any = keras.tree.map_structure(known, (args, kwargs))
            args, kwargs = given
            if type(op).__name__ == "GetItem" and isinstance(args[-1], slice):
                args = (*args[:-1], (args[-1],))  # as arrays take it
        return held[operation, "symbolic_call"](op, *args, **kwargs)

    def call(one, *args, **kwargs):
        if one.weights and not in_stateless_scope() and not before(args, kwargs):
            given: Any = keras.tree.map_structure(lambda v: known(v, constants=True), args)
            args = given
        return held[layer, "__call__"](one, *args, **kwargs)

    for module in modules:
        module.any_symbolic_tensors = symbolic
    operation.symbolic_call, layer.__call__, layer.add_loss = symbolic_call, call, lambda one, loss: None
    for name in names:
        setattr(variable, name, _through_ops(name, held[variable, name]))
    try:
        with float64(), left_to_symbols():
            yield
    finally:
        for module in modules:
            module.any_symbolic_tensors = before
        for (cls, name), fn in held.items():
            setattr(cls, name, fn) if (cls, name) in own else delattr(cls, name)


def _through_ops(name: str, before: Any) -> Any:
    """An operator of a variable as the operation of `keras.ops`, outside of Keras's own inference of shapes."""
    bare = name.strip("_")
    whole = lambda x, key: keras.ops.get_item(x, key if isinstance(key, tuple) else (key,))
    fn = {"neg": keras.ops.negative, "abs": keras.ops.absolute, "getitem": whole}.get(bare)
    turned = fn is None and bare not in _OPERATORS
    fn = fn or getattr(keras.ops, _OPERATORS[bare.removeprefix("r") if turned else bare])

    def run(variable, *other):
        if in_stateless_scope():
            return before(variable, *other)
        return fn(*other, variable) if turned else fn(variable, *other)

    return run


def is_custom(op: Any) -> bool:
    """Whether an operation is a custom layer or model, whose `call` is traced."""
    if not isinstance(op, keras.Layer):
        return False
    if type(op).__module__.split(".")[0] == "keras":  # where its own tests define layers too
        exported = "_api_export_path" in vars(type(op)) or named_rule(f"keras.layers.{type(op).__name__}")
        if exported or isinstance(op, keras.Model):
            return False
    return class_rule(type(op)) is None and not hasattr(getattr(op, "_functional", None) or op, "_nodes_by_depth")


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
