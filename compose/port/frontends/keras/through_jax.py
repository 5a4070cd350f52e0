"""A layer or an operation without a rule, on Keras's JAX backend: what it computes, operation by operation of JAX."""

from __future__ import annotations

import inspect
import re
from typing import Any

import jax
import keras
import numpy as np

from compose.core.errors import PortError
from compose.keras.float64 import float64
from compose.keras.jax_backend import jax_backend
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.registry import registry
from compose.port.frontends.jax.values import Value, Weight
from compose.port.lowering.base import Place
from compose.port.lowering.values import BATCH, GraphValue


def through_jax(walk: Any, op: Any, node: Any, args: Any, kwargs: Any) -> list[GraphValue]:
    """The results of a call, emitted into `walk`.

    Raises `PortError` on another backend, for a call that is another one in training, one that draws random numbers,
    axes of unknown length, and operations of JAX without a rule.
    """
    registry.load()
    call = _Call(walk, op, node, args, kwargs)
    made = _lowered(walk, call)
    return [GraphValue(v.index, tuple(t.shape)) for v, t in zip(made, node.output_tensors, strict=True)]


def _lowered(walk: Any, call: _Call) -> list[Value]:
    low, start = _Inside(walk, call), len(walk.ops)
    try:
        made = low.results()
        low.refuse(False)
    except PortError:
        del walk.ops[start:]
        raise
    return made


class _Call:
    """A call as a function of named arrays and inputs; `arrays`, `trained`, `run` are what a trace needs."""

    def __init__(self, walk: Any, op: Any, node: Any, args: Any, kwargs: Any):
        self.op, self.name = op, op.name
        given = keras.tree.flatten((args, kwargs))
        self.leaves: list[Any] = [_exact(v) if keras.ops.is_tensor(v) else v for v in given]
        self.pack = lambda leaves: keras.tree.pack_sequence_as((args, kwargs), leaves)
        symbolic = [v for v in keras.tree.flatten(node.arguments.args) if isinstance(v, keras.KerasTensor)]
        symbolic += [v for v in keras.tree.flatten(walk.keywords(node)) if isinstance(v, keras.KerasTensor)]
        self.places = [i for i, v in enumerate(self.leaves) if isinstance(v, GraphValue)]
        if not self.places or len(symbolic) != len(self.places):
            raise PortError("a call of values of the model")
        self.values = [self.leaves[i] for i in self.places]
        self.examples: list[Any] = [_example(v, str(t.dtype)) for v, t in zip(self.values, symbolic)]
        own = op.variables if isinstance(op, keras.Layer) else []
        if any(isinstance(v, keras.random.SeedGenerator) for v in vars(op).values()):
            raise PortError("a layer that draws no random numbers")
        if any(getattr(one, "lora_enabled", False) for one in _within(op)):
            raise PortError("a layer that its configuration rebuilds, which leaves out LoRA inside it")
        loose = [v for v in self.leaves if isinstance(v, keras.Variable)]
        self.variables = list({id(v): v for v in (*own, *loose)}.values())
        self.names = [walk.view(v).source for v in self.variables]
        self.arrays = dict(zip(self.names, (keras.ops.convert_to_numpy(v.value) for v in self.variables)))
        self.trained = [n for n, v in zip(self.names, self.variables) if v.trainable]
        if "training" in inspect.signature(op.call).parameters and self._traced(False) != self._traced(True):
            raise PortError(f"a call that is the same in training, which that of {op.name} is not")

    def _traced(self, train: bool) -> str:
        with jax.enable_x64(True):
            run = lambda arrays, xs: jax.tree.leaves(self.run(arrays, xs, train)[0])
            return re.sub(r"0x[0-9a-f]+", "", str(jax.make_jaxpr(run)(self.arrays, self.examples)))

    def run(self, arrays: dict[str, Any], inputs: list, train: bool = False) -> tuple[Any, Any]:
        leaves = list(self.leaves)
        for i, x in zip(self.places, inputs):
            leaves[i] = x
        given = [(v, arrays[n]) for v, n in zip(self.variables, self.names)]  # JAX gives them back sorted by name
        with jax_backend(), float64(), keras.StatelessScope() as scope:
            scope.state_mapping.update((id(v), a) for v, a in given)  # as they are, not in the dtype of the variables
            args, kwargs = self.pack(leaves)
            if "training" in inspect.signature(self.op.call).parameters:
                kwargs = {**kwargs, "training": train}
            out = self.op.call(*args, **kwargs)
            changed = any(scope.get_current_value(v) is not a for v, a in given)
            if changed or len(scope.state_mapping) != len(given):  # those of the generator that all layers share
                raise PortError("a call that leaves variables as they are, and draws no random numbers")
        return out, arrays


class _Inside(JaxLowering):
    """The trace of one call, emitted among the layers of the model around it."""

    def __init__(self, walk: Any, call: _Call):
        super().__init__(call, call.examples)
        self.walk, self.call = walk, call
        self.ops = walk.ops

    def new_index(self) -> int:
        return self.walk.new_index()

    def place(self) -> Place:
        return self.walk.place()

    def location(self) -> str:
        return self.walk.location()

    def results(self) -> list[Value]:
        """The outputs of the call."""
        flat, _ = self._traced()
        if self.sized:
            raise PortError("a call that JAX can trace for a batch of any size")
        arrays = self.call.arrays
        weights = [Weight.stored(n, v.shape, n in self.call.trained) for v, n in zip(flat.inputs, arrays)]
        rest = flat.inputs[len(weights) :]
        self.inputs = [Value(g.index, v.shape, v.dtype) for g, v in zip(self.call.values, rest)]
        given = [self.alone(w) if n in self.walk.apart else w for w, n in zip(weights, arrays)]
        return [self.whole(self.as_value(v)) for v in self.lowered(flat, [*given, *self.inputs])]


def _exact(constant: Any) -> np.ndarray:
    array: np.ndarray = keras.ops.convert_to_numpy(constant)  # pyright: ignore[reportAssignmentType]
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _example(value: GraphValue, dtype: str) -> jax.ShapeDtypeStruct:
    shape = tuple(BATCH if n is None and not axis else n for axis, n in enumerate(value.shape))
    if None in shape:
        raise PortError("axes of known length, apart from the batch")
    return jax.ShapeDtypeStruct(shape, np.dtype("int32" if "int" in dtype else dtype))


def _within(op: Any) -> list[Any]:
    return [one for one in op._flatten_layers() if one is not op] if isinstance(op, keras.Layer) else []
