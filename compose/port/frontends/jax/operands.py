"""What rules read: values, weights and constants, each as the other where an operation needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.ops.operation import signature_of
from compose.port.frontends.jax.each_example import before_repeated, repeated_to, uniform, whole
from compose.port.frontends.jax.inlining import Eqn, Var, user_line
from compose.port.frontends.jax.limits import within_float32
from compose.port.frontends.jax.values import Derived, Value, Weight, Within
from compose.port.ir.weights import View
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.literals import number, unrepeated
from compose.port.lowering.values import Known

ELEMENTWISE = frozenset({
    "abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e",
    "bessel_i1e", "cbrt", "ceil", "clamp", "complex", "conj", "convert_element_type", "copy", "copy_p", "cos", "cosh",
    "digamma", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "igamma", "igammac",
    "imag", "integer_pow", "is_finite", "le", "lgamma", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne",
    "neg", "nextafter", "not", "or", "polygamma", "population_count", "pow", "real", "reduce_precision",
    "regularized_incomplete_beta", "rem", "round", "rsqrt", "select_n", "shift_left", "shift_right_arithmetic", "sign",
    "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "xor", "zeta",
})  # fmt: skip
_OF_ANOTHER_SHAPE = ("reshape", "squeeze", "expand_dims")  # whose rules leave broadcasting undone where they can


class Operands(Arithmetic[Value]):
    """The state of the walk over a trace, and what rules call.

    Attributes:
        batch: the size that stands for the batch: one that no array has.
        numbers: the constants, by `id`, that are numbers which follow from the batch.
        inputs: the values of the inputs.
        eqn: the operation being lowered.
        makers, uses: for each variable of the trace, the operation that computes it and how many read it.
    """

    dropped = frozenset({"add", "subtract", "multiply"})
    model: Any
    batch: int

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[int, BatchNumber] = {}
        self.inputs: list[Value] = []
        self.env: dict[Var, Any] = {}
        self.eqn: Eqn
        self.makers: dict[Var, Eqn] = {}
        self.uses: dict[Var, int] = {}

    # Hooks.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.eqn.outputs[0].shape

    def view(self, weight: Any) -> View | tuple[View, ...]:
        if isinstance(weight, (list, tuple)):
            return tuple(self.view(part) for part in weight)  # pyright: ignore[reportReturnType]
        if isinstance(weight, Weight):
            if weight.shape != weight.own:
                raise PortError(f"a weight of one shape, got {weight.view.source} spread to {weight.shape}")
            return weight.view
        if isinstance(weight, View):
            return weight
        raise PortError(f"a weight of the model, got {type(weight).__name__}: it is computed from others")

    def trains(self, weight: Any) -> bool:
        views = self.view(weight)
        return any(t.source in self.model.trained for t in (views if isinstance(views, tuple) else (views,)))

    def of_batch(self, x: Any) -> BatchNumber | None:
        return self.numbers.get(id(x))

    def batch_size(self, x: Value) -> Value:
        whole = x if x.shape[:1] == (self.batch,) and not x.own else self.of_batch_first()
        return self.emit(word("ops.size")(axis=0), whole, shape=())

    def of_batch_first(self) -> Value:
        """An input whose first axis is the batch."""
        found = next((v for v in self.inputs if v.shape[:1] == (self.batch,)), None)
        if found is None:
            raise PortError("an input whose first axis is the batch")
        return found

    def is_shared(self, x: Value) -> bool:
        variables = [var for var, v in self.env.items() if isinstance(v, Value) and v.index == x.index]
        return any(self.uses.get(var, 0) > 1 for var in variables)

    def stands_for_batch(self, n: int) -> bool:
        return super().stands_for_batch(n) or (self.batch >= 53 and n == self.batch)

    def with_known(self, operation: str, x: Value, known: Any) -> Value:
        """An array or a weight beside a value; as a value itself where no layer of one input says it."""
        plain = operation in ("add", "multiply") and isinstance(known, (np.ndarray, Weight)) and not _wider(known, x)
        if plain and _floating(x) and (isinstance(known, Weight) or known.dtype.kind == "f") and not x.own:
            return super().with_known(operation, x, known)
        return self.pair(operation, x, self.as_value(known, x))

    def from_left(self, operation: str, known: Any, x: Value) -> Value:
        if _wider(known, x):
            return self.pair(operation, self.as_value(known, x), x)
        return super().from_left(operation, known, x)

    def with_inverse(self, operation: str, x: Value, known: Known) -> Value:
        if isinstance(known, Weight) and (operation == "divide" or _wider(known, x)):
            return self.pair(operation, x, self.as_value(known, x))
        return super().with_inverse(operation, x, known)

    # What rules call.

    def line(self) -> str:
        """The user's file and line that made the operation."""
        return user_line(self.eqn.where)

    def by_index(self, index: int) -> Value | None:
        """The value of this number, if a variable of the trace has it."""
        return next((v for v in self.env.values() if isinstance(v, Value) and v.index == index), None)

    def maker(self, position: int) -> Eqn | None:
        """The operation that made one of the inputs."""
        var = self.eqn.inputs[position]
        return self.makers.get(var) if isinstance(var, Var) else None

    def value(self, var: Any) -> Any:
        """What is known of a value of the trace: a `Value`, a `Weight`, a `Derived` or a constant."""
        return self.env[var] if isinstance(var, Var) else within_float32(var)

    def seen(self, var: Any) -> Any:
        """As `value`; None for what is inside a known function, which was lowered whole."""
        return self.env.get(var) if isinstance(var, Var) else var

    def applied(self, eqn: Eqn, given: list) -> list | None:
        """What an operation makes of values, weights and constants; broadcasting along the batch stays undone."""
        if eqn.name in _OF_ANOTHER_SHAPE:
            return self.results_of(eqn, given)
        if eqn.name not in ELEMENTWISE:
            return self.results_of(eqn, [self.whole(v) for v in given])
        if not all(hasattr(v, "shape") for v in given):  # a mask of two parts
            return self.results_of(eqn, given)
        given = [uniform(v) for v in given]
        own, shape = before_repeated(given), eqn.outputs[0].shape
        if own == shape or len(own) != len(shape):
            return self.results_of(eqn, given)
        made = self.results_of(eqn, [repeated_to(v, shape) for v in given])
        return made and [v.but(own=own) if isinstance(v, Value) else v for v in made]

    def results_of(self, eqn: Eqn, given: list) -> list | None:
        """What the rule of an operation makes; None if it has none."""
        raise NotImplementedError

    def enter(self, eqn: Eqn) -> None:
        """Begin to lower an operation."""
        raise NotImplementedError

    @contextlib.contextmanager
    def within(self, eqn: Eqn) -> Iterator[None]:
        """In the `with` block another operation is lowered."""
        outer = self.eqn
        self.enter(eqn)
        try:
            yield
        finally:
            self.enter(outer)

    def emitted(self, x: Derived, like: Value) -> Any:
        """What is computed from weights, as a value; `like` is any value, which the layers ignore."""
        if not x.made:
            given = [self.as_value(v, like) if isinstance(v, (Derived, Weight)) else v for v in x.given]
            if not any(isinstance(v, Value) for v in given):
                given[0] = self.as_value(given[0], like)
            with self.within(x.eqn), self.located():
                made = self.applied(x.eqn, given)
                if made is None:
                    self.lacks(f"jax.{x.eqn.name}", self.line())
                    made = [Value(self.new_index(), v.shape, v.dtype) for v in x.eqn.outputs]
            x.made.extend(
                v.but(shape=o.shape, dtype=o.dtype) if isinstance(v, Value) else v for v, o in zip(made, x.eqn.outputs)
            )
        return x.made[x.position]

    def as_value(self, x: Any, like: Value | None = None) -> Value:
        """A weight or a constant as a value; `like` is any value, which its layer ignores."""
        if isinstance(x, Value):
            return x
        like = self.inputs[0] if like is None else like
        if isinstance(x, Derived):
            return self.as_value(self.emitted(x, like), like)
        if isinstance(x, Within):
            return self.emit(word("ops.logical_and"), x.value, self.as_value(x.constant, like), shape=x.value.shape)
        if isinstance(x, Weight):
            own, shape, dtype, weight = x.own, x.shape, np.dtype(np.float64), x.taken(x.view, x.own)
        else:
            array = np.asarray(x)
            if id(x) in self.numbers:
                raise PortError("a number that follows from the batch's size beside a value")
            cut = unrepeated(array)
            if array.dtype.kind == "c":
                if like.dtype.kind == "c":  # whose dtype they would have
                    like = self.emit(word("ops.real"), like, shape=like.shape)
                halves = (self.as_value(np.array(half), like) for half in (np.real(cut), np.imag(cut)))
                made = self.emit(word("ops.complex"), *halves, shape=cut.shape)
                return Value(made.index, array.shape, array.dtype, () if cut.shape == array.shape else cut.shape)
            own, shape, dtype, weight = cut.shape, array.shape, array.dtype, np.array(cut)
        layer, arrays = layer_of(weight, own, batch=False)
        made = self.emit(layer, like, shape=own, **arrays)
        return Value(made.index, shape, dtype, () if own == shape else own)

    def whole(self, x: Any) -> Any:
        """A value broadcast along the batch, where the trace did so."""
        return whole(self, x)

    def plain_number(self, x: Any) -> float | int | bool | None:
        """The number that a constant is everywhere, of the constant's kind; None for anything else."""
        if not isinstance(x, np.ndarray) or id(x) in self.numbers or x.dtype.kind not in "biuf":
            return None
        plain = number(x)
        return plain if plain is None or x.dtype.kind == "f" else bool(plain) if x.dtype.kind == "b" else int(plain)

    def op(self, name: str, *operands: Any, shape: tuple[int, ...] | None = None, **options: Any) -> Value:
        """`ops.name` of values; a number among the operands is an option, another constant or a weight a value."""
        layer: Any = word(f"ops.{name}")
        like = next((v for v in operands if isinstance(v, Value)), None)
        places = list(signature_of(layer.fn).parameters)
        given: list[Value] = []
        for name, x in zip(places, operands):
            plain = None if like is None else self.plain_number(x)
            if plain is None:
                given.append(self.as_value(x, like))
            else:
                options[name] = plain
        return self.emit(layer(**options) if options else layer, *given, shape=shape)


def as_type(kind: str) -> Any:
    """The conversion to booleans, whole numbers or floats, by NumPy's letter for them."""
    return word("ops.astype")(dtype="bool" if kind == "b" else word("float32" if kind == "f" else "int32"))


def _wider(known: Any, x: Value) -> bool:
    """Whether a weight is longer than a value along some axes."""
    return isinstance(known, Weight) and np.broadcast_shapes(known.own, x.made) != x.made


def _floating(x: Value) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))
