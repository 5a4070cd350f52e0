"""The kinds of sources: what is captured of each, with which examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.port.frontends.lengths import with_lengths
from compose.port.frontends.tensorflow.capture import (
    Captured,
    Saved,
    capture_function,
    capture_session,
    load,
    open_session,
    signature_of,
    tensor_name,
    title,
)
from compose.port.frontends.tensorflow.control_flow import HINTS
from compose.port.frontends.tensorflow.custom_gradients import refuse_custom_gradients
from compose.port.frontends.tensorflow.float64.graph import Exact, exact
from compose.port.frontends.tensorflow.hints import hint
from compose.port.frontends.tensorflow.lower import TensorFlowLowering
from compose.port.frontends.tensorflow.reference import TensorFlowModel
from compose.port.frontends.tensorflow.registry import registry
from compose.port.ir.graph import SourceGraph
from compose.port.lowering.batch import SECOND
from compose.port.lowering.unsupported import Missing, refuse
from compose.port.lowering.values import BATCH

registry.load()

Shapes = list[tuple[int, ...]]


@dataclass(frozen=True)
class Read:
    """A source that has been understood.

    Attributes:
        capture: the graph for inputs of these shapes, unless it is the same for all.
        examples: one array for each input.
        name: of the model.
    """

    capture: Callable[[Shapes], Captured]
    examples: list[np.ndarray]
    name: str

    def graph(self, batch: int | None, assigned: Iterable[str] = ()) -> tuple[Exact, Captured]:
        """In float64, for a batch of so many; a source made for one size of batch alone has that.

        The new values of the variables `assigned` are computed too.
        """
        asked = [batched(x.shape, batch, self.examples) for x in self.examples]
        captured = self.capture(asked)
        shapes = []
        for (_, fixed), shape in zip(captured.inputs.values(), asked, strict=True):
            if any(n not in (None, m) for n, m in zip(fixed[1:], shape[1:])):
                raise PortError(f"inputs of the shape {fixed} that the source takes, got {shape}")
            shapes.append((fixed[0] if fixed and fixed[0] is not None else shape[0], *shape[1:]))
        made = exact(captured, shapes, assigned)
        left = [
            Missing(f"tf.{n.op}", captured.where(n.name) or n.name, hint(n.op))
            for n in made.graph.node
            if n.op in (*HINTS, "XlaCallModule")
        ]
        refuse(left, True, "'tf.Name'")
        refuse_custom_gradients(captured)  # after what has a hint of its own: code of JAX carries such a gradient, too
        return made, captured

    def lowered(
        self, partial: bool, training: Read | None = None, apart: frozenset[str] = frozenset()
    ) -> tuple[SourceGraph, TensorFlowModel]:
        """The layers, and the graphs on which the proof runs.

        Args:
            training: the same in training, where that differs: its layers know how they train.
            apart: the variables that are read as values from the start, since no layer of their own has them.
        """
        made, captured = self.graph(None)
        fixed = {v.name for v in captured.variables.values() if not v.trained}
        read, assigned = (self, ()) if training is None else (training.named_as(captured), fixed)
        graph = with_lengths(
            read.layers(assigned, partial, apart), self.examples, lambda inputs: self.of(inputs).is_taken(),
            lambda inputs: read.of(inputs).layers(assigned, False, apart),
        )  # fmt: skip
        variables = {
            v.name: v for v in captured.variables.values() if v.name in {*made.weights.values(), *graph.arrays}
        }
        graph = replace(graph, arrays={name: v.array for name, v in variables.items()} | graph.arrays)
        steps = None if training is None else read.graph(None, assigned)[0]
        return graph, TensorFlowModel(
            made, self.examples, variables, steps, lambda inputs: self.of(inputs).graph(None)[0]
        )

    def layers(self, assigned: Iterable[str], partial: bool, apart: frozenset[str]) -> SourceGraph:
        """The graph of layers, for a batch of any size where the source is not made for one."""
        try:
            free = [self.graph(batch, assigned) for batch in (BATCH, SECOND)]
        except PortError:
            low = TensorFlowLowering(*self.graph(None, assigned), apart=apart)  # which says why, where it is no batch
        else:
            low = TensorFlowLowering(*free[0], free[1][0], apart)
        graph = low.run(self.name)
        refuse(low.missing if partial else sorted(low.missing, key=lambda m: not m.hint), partial, "'tf.Name'")
        return graph

    def of(self, inputs: list[np.ndarray]) -> Read:
        """The same with other examples."""
        return replace(self, examples=[x.astype(e.dtype) for x, e in zip(inputs, self.examples)])

    def is_taken(self) -> bool:
        """Whether the source takes the examples."""
        try:
            self.graph(None)
        except PortError:
            return False
        return True

    def named_as(self, other: Captured) -> Read:
        """The same with its variables called as there."""
        names = {id(v.itself): v.name for v in other.variables.values()}

        def capture(shapes: Shapes) -> Captured:
            made = self.capture(shapes)
            called = lambda v: replace(v, name=names.get(id(v.itself), v.name))
            return replace(made, variables={node: called(v) for node, v in made.variables.items()})

        return replace(self, capture=capture)


def read_training(source: Any, inputs: tuple, outputs: Any, training: Any) -> Read | None:
    """The source as it trains: with other arguments, or fed otherwise, or another function or other outputs."""
    if training is None:
        return None
    session = isinstance(source, (tf.compat.v1.Session, tf.Graph))
    if isinstance(source, (str, Path)) or hasattr(source, "signatures"):
        raise PortError(
            "a function or a session, to read how it trains; a SavedModel holds what it computes in inference"
        )
    if session and isinstance(training, dict):
        return _of_session(source, ({**_feeds(source, inputs[0]), **_feeds(source, training)},), outputs)
    if session:
        return _of_session(source, inputs, training)
    if callable(training):
        return read_source(training, inputs, outputs, None)
    if not isinstance(training, dict):
        raise PortError(
            f"training as arguments, as in training={{'training': True}}, or as a function, got {training!r}"
        )
    if len(inputs) == 1 and isinstance(inputs[0], dict):
        return read_source(source, ({**inputs[0], **training},), outputs, None)
    function = source.__call__ if isinstance(source, tf.Module) and callable(source) else source
    return read_source(source, (_bound(function, inputs, training),), outputs, None)


def _feeds(source: Any, feeds: dict) -> dict:
    """By the tensors' names, so that one replaces another."""
    graph = source if isinstance(source, tf.Graph) else source.graph
    named = lambda key: key if isinstance(key, str) else key.name
    return {graph.as_graph_element(tensor_name(named(key))).name: value for key, value in feeds.items()}


def read_source(source: Any, inputs: tuple, outputs: Any, signature: str | None) -> Read:
    """What a source is, by its type. Raises `PortError` for one that is none."""
    if isinstance(source, (tf.compat.v1.Session, tf.Graph)):
        return _of_session(source, inputs, outputs)
    owner, name = source, title(source)
    if isinstance(source, (str, Path)):
        owner, name = load(source), Path(source).name
    if isinstance(owner, Saved):
        return _of_saved(owner.session, signature_of(owner, signature), inputs, name)
    if type(owner).__module__.startswith(("keras.", "tf_keras.")):
        raise PortError("a function, a session or a SavedModel; from_keras ports a model of Keras")
    function: Any = owner
    if hasattr(owner, "signatures") or signature is not None:
        function = signature_of(owner, signature)
    elif isinstance(owner, tf.Module) and callable(owner):
        function = owner.__call__
    if not callable(function):
        raise PortError(f"a function, a tf.Module, a session or a SavedModel, got {type(source).__name__}")
    if hasattr(function, "structured_input_signature"):
        return _of_signature(function, inputs, name, owner)
    args = _arguments(function, inputs)
    examples = [np.asarray(a) for a in tf.nest.flatten(args) if _is_array(a)]
    if not examples:
        raise PortError("example inputs, batch first, as in from_tf(function, x)")

    def capture(shapes: Shapes) -> Captured:
        left = iter(shapes)
        spec = lambda a: tf.TensorSpec(next(left), np.asarray(a).dtype) if _is_array(a) else a
        return capture_function(function, tf.nest.map_structure(spec, args), name, owner)

    return Read(capture, examples, name)


def batched(shape: tuple[int, ...], batch: int | None, examples: list[np.ndarray]) -> tuple[int, ...]:
    """A shape with another batch, if its first axis is that of the first example."""
    return (batch, *shape[1:]) if batch is not None and shape[:1] == examples[0].shape[:1] else tuple(shape)


def _of_session(source: Any, inputs: tuple, outputs: Any) -> Read:
    if len(inputs) != 1 or not isinstance(inputs[0], dict) or outputs is None:
        raise PortError("what is fed and what is computed, as in from_tf(session, {'x': x}, outputs='y')")
    return _fed(capture_session(open_session(source), inputs[0], outputs), inputs[0].values(), "graph")


def _fed(captured: Captured, values: Iterable[Any], name: str) -> Read:
    """For examples of which the numbers are constants already."""
    arrays = [v for v in values if np.ndim(v)]
    examples = [np.asarray(x, d.as_numpy_dtype) for x, (d, _) in zip(arrays, captured.inputs.values(), strict=True)]
    return Read(lambda shapes: captured, examples, name)


def _of_saved(session: Any, signature: Any, inputs: tuple, name: str) -> Read:
    infos = {key: (tf.as_dtype(i.dtype), _sizes(i.tensor_shape)) for key, i in sorted(signature.inputs.items())}
    given = _examples(infos, inputs)
    feeds = {signature.inputs[key].name: value for key, value in given.items()}
    outputs = [info.name for _, info in sorted(signature.outputs.items())]
    return _fed(capture_session(session, feeds, outputs), given.values(), name)


def _of_signature(function: Any, inputs: tuple, name: str, owner: Any) -> Read:
    captured = capture_function(function, (), name, owner)
    names = sorted(function.structured_input_signature[1])
    given = _examples(dict(zip(names, captured.inputs.values(), strict=True)), inputs)
    tensors = dict(zip(captured.inputs, given.values()))
    constants = {tensor: value for tensor, value in tensors.items() if not value.ndim}
    data = {tensor: of for tensor, of in captured.inputs.items() if tensor not in constants}
    captured = replace(captured, inputs=data, constants={**captured.constants, **constants})
    return _fed(captured, given.values(), name)


def _examples(wanted: dict[str, tuple[Any, tuple]], inputs: tuple) -> dict[str, np.ndarray]:
    """An array for each input of a signature: as given, by name or in order, else random, a batch of three."""
    given = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], dict) else dict(zip(wanted, inputs))
    if inputs and (set(given) != set(wanted) or (inputs[0] is not given and len(inputs) != len(wanted))):
        raise PortError(f"one example for each of {', '.join(wanted)}, got {', '.join(given) or len(inputs)}")
    rng = np.random.default_rng(0)
    made = {}
    for key, (dtype, shape) in wanted.items():
        sizes = [n or (7 if i else 3) for i, n in enumerate(shape)]
        drawn = rng.normal(size=sizes) if dtype.is_floating else rng.integers(0, 2, sizes)
        made[key] = np.asarray(given.get(key, drawn), dtype.as_numpy_dtype)
    return made


def _sizes(shape: Any) -> tuple[int | None, ...]:
    return tuple(None if d.size < 0 else d.size for d in shape.dim)


def _arguments(function: Any, inputs: tuple) -> tuple:
    """The arguments in the order of the function's own."""
    if len(inputs) != 1 or not isinstance(inputs[0], dict):
        return inputs
    made = inspect.BoundArguments(_signature(function), _bound(function, (), inputs[0]))  # pyright: ignore
    made.apply_defaults()
    return made.args


def _bound(function: Any, inputs: tuple, named: dict) -> Any:
    """Arguments by their names."""
    try:
        return _signature(function).bind(*inputs, **named).arguments
    except (TypeError, ValueError) as e:
        raise PortError(f"inputs by the names of the function's arguments: {e}") from e


def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(getattr(function, "python_function", function))


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, tf.Tensor)) or (hasattr(value, "__array__") and np.ndim(value) > 0)
