"""Gradients that the source defines itself, by `tf.custom_gradient`: the graph says only that there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorflow.python.framework import ops

from compose.core.errors import PortError
from compose.port.frontends.tensorflow.capture import Captured

_ATTRIBUTE = "_gradient_op_type"
_THROUGH = "grad_pass_through"  # of TensorFlow itself, but no derivative


def refuse_custom_gradients(captured: Captured) -> None:
    """Raise `PortError` for an operation whose gradient is not what TensorFlow derives.

    TensorFlow's own, as that of `tf.nn.silu`, are derivatives. Those of a loaded SavedModel are not known.
    """
    for node in _nodes(captured.graph):
        if _ATTRIBUTE in node.attr and _is_custom(node.attr[_ATTRIBUTE].s.decode()):
            raise PortError(
                f"gradients that TensorFlow derives, got tf.custom_gradient or tf.grad_pass_through at "
                f"{captured.where(node.name) or node.name}; with tf.stop_gradient, `x + tf.stop_gradient(f(x) - x)` "
                f"has the value of f(x) and the gradient of x"
            )


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _is_custom(name: str) -> bool:
    """Whether a registered gradient was written outside of TensorFlow, or is that of another function."""
    try:
        registered = ops.gradient_registry.lookup(name)
    except LookupError:
        return False
    inside = [cell.cell_contents for cell in registered.__closure__ or () if callable(cell.cell_contents)]
    found = [f for f in (*inside, *_inner(inside)) if hasattr(f, "__qualname__")]
    own = lambda f: (f.__module__ or "").split(".")[0] == "tensorflow" and _THROUGH not in f.__qualname__
    return not all(own(f) for f in found)


def _inner(functions: list[Any]) -> list[Any]:
    """What the functions close over, that is callable: the gradient is wrapped where the graph is made."""
    cells = [cell for f in functions for cell in getattr(f, "__closure__", None) or ()]
    return [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
