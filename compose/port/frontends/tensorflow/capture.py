"""What is ported, as TensorFlow's own graph of it: from a function, a session, or a SavedModel."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.port.frontends.tensorflow.variable_names import names_of

_PACKAGES = Path(tf.__file__).parent.parent
_LIBRARIES = (
    *(f"{_PACKAGES / name}{os.sep}" for name in ("tensorflow", "keras", "tf_keras")),
    f"{Path(__file__).parent}{os.sep}",
)


@dataclass(frozen=True)
class Variable:
    """A variable of the source: its name for people, its value now, whether the source trains it, and itself."""

    name: str
    array: np.ndarray
    trained: bool
    itself: Any


@dataclass(frozen=True)
class Captured:
    """A graph and what it reads.

    Attributes:
        graph: the `GraphDef`.
        inputs: the tensors that data comes in by, with their dtypes and shapes (None where a size is open).
        outputs: the names of tensors, in the order in which TensorFlow flattens them.
        variables: by the node that stands for the variable.
        constants: values of tensors that are no input, by the tensor's name.
        where: the user's file and line of a node, or "".
        name: of the model.
        updates: the names of operations that training runs besides what the outputs need.
    """

    graph: Any
    inputs: dict[str, tuple[Any, tuple[int | None, ...]]]
    outputs: list[str]
    variables: dict[str, Variable]
    constants: dict[str, np.ndarray]
    where: Callable[[str], str]
    name: str
    updates: tuple[str, ...] = ()


def capture_function(function: Any, args: tuple, name: str, owner: Any = None) -> Captured:
    """A Python function, a `tf.function` or a signature of a SavedModel, traced for arguments of these shapes.

    Raises `PortError` with TensorFlow's own words where it cannot be traced.
    """
    try:
        if hasattr(function, "structured_input_signature"):
            made = function
        else:
            traced = function if hasattr(function, "get_concrete_function") else tf.function(function)
            made = traced.get_concrete_function(*args)
    except Exception as e:
        lines = [line for line in str(e).splitlines() if line.strip()]
        raise PortError(f"a function that TensorFlow can trace, got {type(e).__name__}: {'; '.join(lines[:6])}") from e
    inner = {t.name for _, t in made.graph.captures}
    data = [t for t in made.inputs if t.name not in inner]
    known = {id(v.handle): v for v in (*made.variables, *_variables_of(owner))}
    names = names_of([known[id(e)] for e, _ in made.graph.captures if id(e) in known], function, owner)
    variables, constants = {}, {}
    for outside, inside in zip(made.captured_inputs, made.inputs[len(made.inputs) - len(made.captured_inputs) :]):
        if id(outside) in known:
            v = known[id(outside)]
            variables[inside.op.name] = Variable(names[id(v)], v.numpy(), bool(v.trainable), v)
        elif outside.dtype != tf.resource:
            constants[inside.name] = outside.numpy()
    outputs = [t.name for t in made.outputs if t.dtype != tf.resource]
    return Captured(
        made.graph.as_graph_def(), {t.name: (t.dtype, _shape(t)) for t in data}, outputs, variables, constants,
        lambda node: user_line(made.graph, node), name,
    )  # fmt: skip


def capture_session(session: Any, feeds: dict[Any, Any], outputs: Any) -> Captured:
    """The part of a session's graph between what is fed and the outputs; numbers that are fed are constants."""
    graph = session.graph
    element = lambda key: graph.as_graph_element(tensor_name(key) if isinstance(key, str) else key)
    given = {element(key): value for key, value in feeds.items()}
    inputs = {t.name: (t.dtype, _shape(t)) for t, value in given.items() if np.ndim(value)}
    constants = {t.name: np.asarray(value, t.dtype.as_numpy_dtype) for t, value in given.items() if not np.ndim(value)}
    keys = tf.compat.v1.GraphKeys
    every = {v.op.name: v for key in (keys.GLOBAL_VARIABLES, keys.LOCAL_VARIABLES) for v in graph.get_collection(key)}
    trained = {v.op.name for v in graph.get_collection(keys.TRAINABLE_VARIABLES)}
    values = session.run({name: v for name, v in every.items()})
    variables = {
        (v.handle.op.name if hasattr(v, "handle") else name): Variable(name, values[name], name in trained, v)
        for name, v in every.items()
    }
    return Captured(
        graph.as_graph_def(), inputs, [element(t).name for t in tf.nest.flatten(outputs)], variables, constants,
        lambda node: user_line(graph, node), "graph",
        tuple(t.name if isinstance(t, tf.Operation) else t.op.name for t in graph.get_collection(keys.UPDATE_OPS)),
    )  # fmt: skip


def open_session(source: Any) -> Any:
    """A session; for a graph a new one, in which its variables have their initial values."""
    if not isinstance(source, tf.Graph):
        return source
    session = tf.compat.v1.Session(graph=source)
    session.run([v.initializer for v in source.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)])
    return session


def load(folder: str | Path) -> Any:
    """The object in a SavedModel; of one that TF1 wrote, its session and signatures."""
    if not (Path(folder) / "saved_model.pb").is_file():
        raise PortError(f"the folder of a SavedModel, with saved_model.pb in it, got {folder}")
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0]
    if graph.HasField("object_graph_def"):
        return tf.saved_model.load(str(folder))
    session = tf.compat.v1.Session(graph=tf.Graph())
    tf.compat.v1.saved_model.load(session, list(graph.meta_info_def.tags), str(folder))
    return Saved(session, dict(graph.signature_def))


@dataclass(frozen=True)
class Saved:
    """What TF1 saved: a session with the variables' values, and the tensors of each signature."""

    session: Any
    signatures: dict[str, Any]


def signature_of(loaded: Any, signature: str | None) -> Any:
    """What of a loaded object is ported: the signature by its name, else the only one, else its call."""
    found = {k: s for k, s in getattr(loaded, "signatures", {}).items() if not k.startswith("__")}
    if signature is None and callable(loaded) and not found:
        return loaded.__call__
    name = signature or ("serving_default" if "serving_default" in found or len(found) != 1 else next(iter(found)))
    if name not in found:
        raise PortError(f"a signature among {', '.join(found) or 'none'}, got {name}; name one with signature=")
    return found[name]


def user_line(graph: Any, node: str) -> str:
    """The innermost line that made a node and is neither TensorFlow's nor Keras's, also in functions it calls."""
    outer, _, inner = node.partition(">")
    try:
        op = graph.get_operation_by_name(outer)
    except (KeyError, ValueError):
        return ""
    called = getattr(graph._get_function(op.node_def.attr["f"].func.name), "graph", None) if inner else None
    deeper = user_line(called, inner) if called is not None else ""
    frames = [f for f in op.traceback or () if not _framework(f.filename)]
    return deeper or (f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "")


def _framework(file: str) -> bool:
    return file.startswith(_LIBRARIES)


def _variables_of(owner: Any) -> list:
    return list(getattr(owner, "variables", None) or ())


def tensor_name(name: str) -> str:
    """With the output's number, the first where none is said."""
    return name if ":" in name else f"{name}:0"


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else ()


def title(function: Any) -> str:
    """What to call a model: its class or function."""
    if inspect.ismethod(function):
        return type(function.__self__).__name__
    return getattr(function, "__name__", type(function).__name__)
